import { describe, expect, test } from "vitest";
import { readLease } from "../../src/net/dhcp_lease.ts";
import { OPTION_DOMAIN, OPTION_SEARCH, parseDhcp } from "../../src/wire/dhcp.ts";
import { buildDhcp } from "../../src/wire/dhcp.ts";
import { answer, lonely, reply, takeDhcp } from "../dhcp_net.ts";
import { wireName } from "../dns_wire.ts";
import { mutate } from "../fake_port.ts";

const ACK = 5;
const OFFER = 2;
const SEED = 0x3397;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Domains of a lease with these options. */
function searchOf(...options: [number, Uint8Array][]): readonly string[] | undefined {
  return readLease(reply({ type: ACK, options: new Map(options) }), 1_500)?.search;
}

/** Two names, the second one compressed, as the example of RFC 3397 section 2 has them. */
const LIST = Uint8Array.from([
  ...wireName("eng.apple.com"),
  ...[9, ...text("marketing"), 0xc0, 4],
]);

describe("the search list of DHCP (RFC 3397)", () => {
  test("is that of option 119, whose names are compressed within it", () => {
    expect(searchOf([OPTION_SEARCH, LIST], [OPTION_DOMAIN, text("other.test")])).toEqual([
      "eng.apple.com",
      "marketing.apple.com",
    ]);
  });

  test("is the domain, when there is no list", () => {
    expect(searchOf([OPTION_DOMAIN, text("Lab.test.")])).toEqual(["lab.test"]);
    expect(searchOf()).toEqual([]);
    expect(searchOf([OPTION_DOMAIN, text("a b")])).toEqual([]);
    expect(searchOf([OPTION_DOMAIN, text("a..b")])).toEqual([]);
  });

  test("ends where it can not be read, and has six names at most", () => {
    expect(searchOf([OPTION_SEARCH, Uint8Array.from([...LIST, 0xc0, 0x80, 1])])).toHaveLength(2);
    expect(searchOf([OPTION_SEARCH, Uint8Array.of(0xc0, 0)])).toEqual([]);
    const many = Array.from({ length: 9 }, (_, index) => wireName(`n${index}`)).flat();
    expect(searchOf([OPTION_SEARCH, Uint8Array.from(many)])).toHaveLength(6);
  });

  test("reading it throws nothing, whatever is sent", () => {
    mutate(LIST, SEED, (bytes) => {
      expect(searchOf([OPTION_SEARCH, bytes])?.length).toBeLessThanOrEqual(6);
    });
    const message = buildDhcp(reply({ type: ACK, options: new Map([[OPTION_SEARCH, LIST]]) }));
    const parsed = parseDhcp(message);
    expect(typeof parsed === "string" ? parsed : readLease(parsed, 1_500)?.search).toHaveLength(2);
  });

  test("is asked for, and the interface has it", () => {
    const { made, client } = lonely();
    client.start();
    made.port.clock.advance(10_000);
    const [discover] = takeDhcp(made.port);
    expect([...discover?.options.get(55) ?? []]).toContain(OPTION_SEARCH);
    const options = new Map([[OPTION_SEARCH, LIST]]);
    const xid = discover?.xid ?? 0;
    answer(made, { type: OFFER, xid, options });
    const request = takeDhcp(made.port).at(-1);
    answer(made, { type: ACK, xid: request?.xid ?? 0, options });
    made.port.clock.advance(10_000);
    expect(made.iface.config?.search).toEqual(["eng.apple.com", "marketing.apple.com"]);
    client.stop();
  });
});
