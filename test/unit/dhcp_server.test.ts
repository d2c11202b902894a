import { describe, expect, test } from "vitest";
import { PUNT_UDP } from "../../src/layout/layout.gen.ts";
import {
  type Lease,
  LEASE_MAX_SECONDS,
  LEASE_MIN_SECONDS,
  readLease,
} from "../../src/net/dhcp_lease.ts";
import {
  DECLINED_MS,
  DhcpServer,
  type DhcpServerOptions,
  OFFER_MS,
} from "../../src/net/dhcp_server.ts";
import {
  BOOT_REQUEST,
  DHCP_ACK,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_INFORM,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_REQUEST,
  type DhcpMessage,
  option16,
  option32,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_LEASE_SECONDS,
  OPTION_MTU,
  OPTION_REQUESTED_ADDRESS,
  OPTION_ROUTER,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
} from "../../src/wire/dhcp.ts";
import { deliver, macOf, mutate, type Station } from "../fake_port.ts";
import {
  type Fields,
  FIRST,
  frameOf,
  GATEWAY,
  HOUR_SECONDS,
  ip,
  net,
  POOL,
  reply,
  takeDhcp,
} from "../dhcp_net.ts";

describe("readLease()", () => {
  const read = (fields: Partial<DhcpMessage>): Lease | null =>
    readLease(reply({ type: DHCP_ACK, ...fields }), 1_500);

  test("refuses addresses that can not be ours", () => {
    const refused = [
      "0.0.0.0",
      "127.0.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "10.0.2.0",
      "10.0.2.255",
    ];
    for (const text of [...refused, "10.0.2.2", "240.0.0.1"]) {
      expect(read({ yiaddr: ip(text) }), text).toBeNull();
    }
    expect(read({ options: new Map([[OPTION_ROUTER, option32(FIRST)]]) })).toBeNull();
    expect(read({ options: new Map([[OPTION_SERVER_ID, option32(0)]]) })).toBeNull();
    expect(read({ options: new Map([[OPTION_SUBNET_MASK, option32(0xff00ff00)]]) })).toBeNull();
    expect(read({ options: new Map([[OPTION_SUBNET_MASK, option16(0xff00)]]) })).toBeNull();
  });

  test("clamps the lease to a minute and ten years, with T1 and T2 in order", () => {
    for (
      const [asked, given] of [[0, 60], [1, 60], [61, 61], [0xffffffff, LEASE_MAX_SECONDS]] as const
    ) {
      const lease = read({ options: new Map([[OPTION_LEASE_SECONDS, option32(asked)]]) });
      expect(lease?.leaseSeconds).toBe(given);
      expect(lease?.t1Seconds).toBe(given / 2);
      expect(lease?.t2Seconds).toBe(given * 0.875);
    }
    const times = (t1: number, t2: number): number[] => {
      const options = new Map([[OPTION_T1_SECONDS, option32(t1)], [
        OPTION_T2_SECONDS,
        option32(t2),
      ]]);
      const lease = read({ options });
      return [lease?.t1Seconds ?? 0, lease?.t2Seconds ?? 0];
    };
    expect(times(600, 1_200)).toEqual([600, 1_200]);
    for (const [t1, t2] of [[1_200, 600], [0, 600], [600, 3_600]] as const) {
      expect(times(t1, t2)).toEqual([1_800, 3_150]);
    }
    expect(LEASE_MIN_SECONDS).toBe(60);
  });

  test("takes routers on the link, name servers that are hosts, and an MTU within the link's", () => {
    const lease = read({
      options: new Map([
        [OPTION_ROUTER, option32(ip("192.0.2.1"), GATEWAY)],
        [OPTION_DNS, option32(ip("127.0.0.1"), ip("192.0.2.53"))],
        [OPTION_DOMAIN, new TextEncoder().encode("example.com\0")],
      ]),
    });
    expect(lease).toMatchObject({
      gateway: GATEWAY,
      dns: [ip("192.0.2.53")],
      domain: "example.com",
    });
    for (const [mtu, used] of [[67, 1_500], [68, 68], [1_400, 1_400], [9_000, 1_500]] as const) {
      expect(read({ options: new Map([[OPTION_MTU, option16(mtu)]]) })?.mtu).toBe(used);
    }
  });
});

describe("DhcpServer", () => {
  function ask(
    gateway: Station,
    number: number,
    fields: Fields,
    source: number = 0,
  ): DhcpMessage | null {
    gateway.port.sent.length = 0;
    const options = fields.options ?? new Map();
    const message = { ...reply({ ...fields }), op: BOOT_REQUEST, yiaddr: 0, options };
    const destination = source === 0 ? 0xffffffff : GATEWAY;
    const frame = frameOf({ ...message, chaddr: macOf(number) }, source, destination, true);
    if (source !== 0) frame.set(macOf(2), 0);
    deliver(gateway.iface, frame);
    return takeDhcp(gateway.port)[0] ?? null;
  }
  const wanting = (address: number, server: boolean): Map<number, Uint8Array> => {
    const options = new Map([[OPTION_REQUESTED_ADDRESS, option32(address)]]);
    return server ? options.set(OPTION_SERVER_ID, option32(GATEWAY)) : options;
  };
  const small = { first: FIRST, last: FIRST + 1 };

  test("gives each client one address, and nothing once the pool is used up", () => {
    const { gateway } = net(small);
    for (const number of [21, 22]) {
      const offer = ask(gateway, number, { type: DHCP_DISCOVER });
      expect(offer?.yiaddr).toBe(FIRST + number - 21);
      const options = wanting(offer?.yiaddr ?? 0, true);
      expect(ask(gateway, number, { type: DHCP_REQUEST, options })?.type).toBe(DHCP_ACK);
      expect(ask(gateway, number, { type: DHCP_DISCOVER })?.yiaddr).toBe(offer?.yiaddr);
    }
    expect(ask(gateway, 23, { type: DHCP_DISCOVER })).toBeNull();
    expect(gateway.iface.counters["DHCP_POOL_EMPTY"]).toBe(1);
  });

  test("keeps an offer 30 s, and gives leases that have ended to others", () => {
    const { gateway, advance } = net({ ...small, last: FIRST });
    expect(ask(gateway, 21, { type: DHCP_DISCOVER })?.yiaddr).toBe(FIRST);
    advance(OFFER_MS - 1);
    expect(ask(gateway, 22, { type: DHCP_DISCOVER })).toBeNull();
    advance(1);
    expect(ask(gateway, 22, { type: DHCP_DISCOVER })?.yiaddr).toBe(FIRST);
    const options = wanting(FIRST, true);
    expect(ask(gateway, 22, { type: DHCP_REQUEST, options })?.type).toBe(DHCP_ACK);
    expect(ask(gateway, 21, { type: DHCP_REQUEST, options })?.type).toBe(DHCP_NAK);
    advance((HOUR_SECONDS * 1_000) - 1);
    expect(ask(gateway, 21, { type: DHCP_DISCOVER })).toBeNull();
    advance(1);
    expect(ask(gateway, 21, { type: DHCP_DISCOVER })?.yiaddr).toBe(FIRST);
  });

  test("sets declined addresses aside, for their holder's word alone", () => {
    const { gateway, advance } = net({ ...small, last: FIRST });
    const options = wanting(FIRST, true);
    ask(gateway, 21, { type: DHCP_DISCOVER });
    ask(gateway, 22, { type: DHCP_DECLINE, options });
    expect(ask(gateway, 21, { type: DHCP_REQUEST, options })?.type).toBe(DHCP_ACK);
    ask(gateway, 21, { type: DHCP_DECLINE, options });
    advance(DECLINED_MS - 1);
    expect(ask(gateway, 22, { type: DHCP_DISCOVER })).toBeNull();
    advance(1);
    expect(ask(gateway, 22, { type: DHCP_DISCOVER })?.yiaddr).toBe(FIRST);
  });

  test("answers NAK for what is not its own, and silence to other servers' clients", () => {
    const { gateway } = net();
    for (const text of ["10.0.2.2", "10.0.2.3", "10.0.2.255", "192.0.2.1", "10.0.2.14"]) {
      const options = wanting(ip(text), false);
      expect(ask(gateway, 21, { type: DHCP_REQUEST, options })?.type, text).toBe(DHCP_NAK);
    }
    const foreign = new Map([[OPTION_SERVER_ID, option32(ip("10.0.2.9"))]]);
    expect(ask(gateway, 21, { type: DHCP_REQUEST, options: foreign })).toBeNull();
    expect(ask(gateway, 21, { type: DHCP_DISCOVER, giaddr: 1 })).toBeNull();
  });

  test("unicasts to a client that does not ask for broadcast, without ARP", () => {
    const { gateway } = net();
    ask(gateway, 21, { type: DHCP_DISCOVER, broadcast: false });
    expect(gateway.port.sent).toEqual([]);
    gateway.port.onFrame = (frame): void => {
      expect(frame.subarray(0, 6)).toEqual(macOf(21));
      expect(frame.subarray(30, 34)).toEqual(Uint8Array.of(10, 0, 2, 15));
    };
    expect(ask(gateway, 21, { type: DHCP_DISCOVER, broadcast: false })?.type).toBe(DHCP_OFFER);
    expect.assertions(4);
  });

  test("answers INFORM with parameters and no lease", () => {
    const { gateway } = net();
    const source = ip("10.0.2.40");
    const ack = ask(gateway, 21, { type: DHCP_INFORM, ciaddr: source }, source);
    expect(ack).toMatchObject({ type: DHCP_ACK, yiaddr: 0, ciaddr: source });
    expect(ack?.options.has(OPTION_LEASE_SECONDS)).toBe(false);
    expect(ack?.options.get(OPTION_DNS)).toEqual(option32(ip("10.0.2.3")));
  });

  test("refuses a pool outside of its network and a silly lease", () => {
    const { gateway } = net();
    const make = (options: Partial<DhcpServerOptions>) => (): DhcpServer =>
      new DhcpServer(gateway.iface, { ...POOL, ...options });
    expect(make({ first: ip("10.0.3.1") })).toThrow("expected a pool inside of 10.0.2.0/24");
    expect(make({ first: ip("10.0.2.20"), last: FIRST })).toThrow(RangeError);
    expect(make({ leaseSeconds: 59 })).toThrow("60 to 2^31");
  });

  test("bears changed and cut requests", () => {
    const { gateway } = net();
    const message = { ...reply({ type: DHCP_REQUEST }), op: BOOT_REQUEST };
    const frame = frameOf(message, 0, 0xffffffff, true);
    frame.set([0, 0], 14 + 20 + 6);
    mutate(frame, 13, (bytes) => gateway.iface.receive(bytes, PUNT_UDP));
    expect(gateway.iface.addresses).toEqual([GATEWAY]);
  });
});
