import { describe, expect, test } from "vitest";
import {
  broadcastOf,
  formatIpv4,
  formatMac,
  isHostAddress,
  isIpv4,
  maskPrefix,
  parseCidr,
  parseIpv4,
  prefixMask,
} from "../../src/net/addresses.ts";
import { ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from "../../src/wire/arp.ts";
import { write16, write32 } from "../../src/wire/bytes.ts";
import { internetChecksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { decodeFrame, decodeIpv4 } from "../../src/wire/decode.ts";
import {
  BOOT_REPLY,
  buildDhcp,
  DHCP_OFFER,
  option32,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_SERVER_ID,
  parseDhcp,
  read32Option,
  textOption,
} from "../../src/wire/dhcp.ts";
import { buildDnsQuery, normalizeName, parseDnsResponse } from "../../src/wire/dns.ts";
import {
  buildEthernet,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  multicastMac,
  parseEthernet,
} from "../../src/wire/ethernet.ts";
import { buildIcmp, ICMP_ECHO_REQUEST, parseIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet, parseIpv4Packet, PROTOCOL_UDP } from "../../src/wire/ipv4.ts";
import { buildUdp, parseUdp } from "../../src/wire/udp.ts";
import { macOf, mutate } from "../fake_port.ts";

const A = 0x0a000001;
const B = 0x0a000002;
const SEED = 0x5eed;

function bytesOf(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}

function dnsName(name: string): number[] {
  const labels = name.split(".").flatMap((label) => [
    label.length,
    ...new TextEncoder().encode(label),
  ]);
  return [...labels, 0];
}

/** Header of an answer with one question for a.b, then records as given. */
function dnsAnswer(answers: number, ...records: number[]): Uint8Array {
  const question = [...dnsName("a.b"), 0, 1, 0, 1];
  return bytesOf(0x12, 0x34, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0, ...question, ...records);
}

describe("addresses", () => {
  test("parseIpv4() reads strict dotted quads alone", () => {
    expect(parseIpv4("10.0.0.2")).toBe(B);
    expect(parseIpv4("255.255.255.255")).toBe(0xffffffff);
    const wrong = ["", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", " 1.2.3.4", "1.2.3.4\n"];
    for (const text of [...wrong, "0x1.2.3.4", "1.2.3.-4", "1..2.3", "١.2.3.4"]) {
      expect(isIpv4(text), text).toBe(false);
      expect(() => parseIpv4(text)).toThrow(RangeError);
    }
    expect(() => parseIpv4(7 as unknown as string)).toThrow(TypeError);
  });

  test("formatIpv4() is the inverse, formatMac() pads", () => {
    for (const address of [0, 1, A, 0x7fffffff, 0x80000000, 0xffffffff]) {
      expect(parseIpv4(formatIpv4(address))).toBe(address);
    }
    expect(formatMac(macOf(1))).toBe("02:00:00:00:00:01");
  });

  test("prefixMask() and maskPrefix() agree for every length", () => {
    for (let length = 0; length <= 32; length++) {
      expect(maskPrefix(prefixMask(length))).toBe(length);
    }
    expect(prefixMask(24)).toBe(0xffffff00);
    expect(maskPrefix(0xff00ff00)).toBeNull();
  });

  test("parseCidr() wants one prefix of 0 to 32", () => {
    expect(parseCidr("10.0.0.2/24")).toEqual({ address: B, prefixLength: 24 });
    for (const text of ["10.0.0.2", "10.0.0.2/33", "10.0.0.2/", "10.0.0.2/024", "10.0.0.2/24/1"]) {
      expect(() => parseCidr(text), text).toThrow(RangeError);
    }
  });

  test("isHostAddress() excludes a network's own and broadcast address, but for /31 and /32", () => {
    expect(broadcastOf(B, 24)).toBe(0x0a0000ff);
    expect(isHostAddress(B, 24)).toBe(true);
    expect(isHostAddress(0x0a000000, 24)).toBe(false);
    expect(isHostAddress(0x0a0000ff, 24)).toBe(false);
    expect(isHostAddress(0x0a000000, 31)).toBe(true);
    for (const text of ["0.0.0.1", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]) {
      expect(isHostAddress(parseIpv4(text), 24), text).toBe(false);
    }
  });
});

describe("checksum", () => {
  test("internetChecksum() gives the example of RFC 1071 section 3", () => {
    const bytes = bytesOf(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(internetChecksum(bytes)).toBe(~0xddf2 & 0xffff);
    expect(internetChecksum(bytesOf(0x12))).toBe(~0x1200 & 0xffff);
    expect(internetChecksum(new Uint8Array(0), 0x1fffe)).toBe(0);
  });
});

describe("ethernet and arp", () => {
  test("parse() is the inverse of build()", () => {
    const packet = {
      operation: ARP_REQUEST,
      senderMac: macOf(1),
      senderAddress: A,
      targetMac: new Uint8Array(6),
      targetAddress: B,
    };
    const frame = buildEthernet(macOf(2), macOf(1), ETHERTYPE_ARP, buildArp(packet));
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") throw new Error(ethernet);
    expect(parseArp(ethernet.payload)).toEqual(packet);
    expect(formatMac(multicastMac(0xe00000fb))).toBe("01:00:5e:00:00:fb");
  });

  test("parseArp() drops a foreign form and a sender that is no station", () => {
    const target = { targetMac: macOf(2), targetAddress: B };
    const good = buildArp({
      operation: ARP_REPLY,
      senderMac: macOf(1),
      senderAddress: A,
      ...target,
    });
    for (const [offset, reason] of [[0, "ARP_FORM"], [2, "ARP_FORM"], [4, "ARP_FORM"]] as const) {
      const bad = good.slice();
      bad[offset] = 9;
      expect(parseArp(bad)).toBe(reason);
    }
    const group = good.slice();
    group[8] = 1;
    expect(parseArp(group)).toBe("ARP_SENDER");
    expect(parseArp(good.slice(0, 27))).toBe("ARP_SHORT");
  });
});

describe("ipv4, icmp and udp", () => {
  const payload = bytesOf(1, 2, 3);
  const fields = { sourcePort: 68, destinationPort: 67, payload };
  const datagram = buildUdp(fields, A, B);
  const header = { source: A, destination: B, protocol: PROTOCOL_UDP };
  const packet = buildIpv4Packet(header, datagram);

  test("parse() is the inverse of build(), link padding left out", () => {
    const padded = bytesOf(...packet, 0xa5, 0xa5, 0xa5);
    const parsed = parseIpv4Packet(padded);
    if (typeof parsed === "string") throw new Error(parsed);
    expect(parsed).toMatchObject({ ...header, ttl: 64, isFragment: false });
    expect(parseUdp(parsed.payload, A, B)).toEqual(fields);
    const message = { type: ICMP_ECHO_REQUEST, code: 0, rest: 0x00010002, body: payload };
    expect(parseIcmp(buildIcmp(message))).toEqual(message);
  });

  test("every single flipped bit of header, datagram and message is noticed", () => {
    const flips = (bytes: Uint8Array, parse: (bytes: Uint8Array) => unknown): void => {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const flipped = bytes.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(typeof parse(flipped), `bit ${bit}`).toBe("string");
      }
    };
    flips(packet.slice(0, 20), (bytes) => parseIpv4Packet(bytesOf(...bytes, ...datagram)));
    flips(datagram, (bytes) => parseUdp(bytes, A, B));
    flips(buildIcmp({ type: 8, code: 0, rest: 7, body: payload }), parseIcmp);
  });

  test("a UDP checksum of zero is none, and a computed zero is sent as all ones", () => {
    const unchecked = datagram.slice();
    write16(unchecked, 6, 0);
    expect(parseUdp(unchecked, A, B)).toEqual(fields);
    const words = new Uint8Array(2);
    const empty = { sourcePort: 1, destinationPort: 2, payload: words };
    const sum = internetChecksum(
      buildUdp(empty, A, B).fill(0, 6, 8),
      pseudoHeaderSum(A, B, 17, 10),
    );
    write16(words, 0, sum);
    expect(buildUdp({ ...empty, payload: words }, A, B).subarray(6, 8)).toEqual(
      bytesOf(0xff, 0xff),
    );
  });

  test("a length field larger than what is there is dropped", () => {
    const long = datagram.slice();
    write16(long, 4, datagram.length + 1);
    expect(parseUdp(long, A, B)).toBe("UDP_LENGTH");
    write16(long, 4, 7);
    expect(parseUdp(long, A, B)).toBe("UDP_LENGTH");
    expect(parseIpv4Packet(packet.slice(0, -1))).toBe("IP_SHORT");
  });
});

describe("dhcp", () => {
  const message = {
    op: BOOT_REPLY,
    type: DHCP_OFFER,
    xid: 0xdeadbeef,
    secs: 3,
    broadcast: true,
    ciaddr: 0,
    yiaddr: B,
    giaddr: 0,
    chaddr: macOf(1),
    options: new Map([[OPTION_SERVER_ID, option32(A)], [OPTION_DNS, option32(A, B)]]),
  };

  test("parseDhcp() is the inverse of buildDhcp(), which pads to 300 bytes with zeros", () => {
    const bytes = buildDhcp(message);
    expect(bytes.length).toBe(300);
    expect(parseDhcp(bytes)).toEqual(message);
    expect(bytes.subarray(280).every((byte) => byte === 0)).toBe(true);
  });

  test("long options are split and joined (RFC 3396), up to 1,024 bytes", () => {
    const long = new Uint8Array(700).fill(7);
    const parsed = parseDhcp(buildDhcp({ ...message, options: new Map([[43, long]]) }));
    if (typeof parsed === "string") throw new Error(parsed);
    expect(parsed.options.get(43)).toEqual(long);
    const options = new Map([[43, new Uint8Array(1_025)]]);
    expect(parseDhcp(buildDhcp({ ...message, options }))).toBe("DHCP_OPTION");
  });

  test("overloaded fields are read once, file first, and can not overload again", () => {
    const bytes = buildDhcp({ ...message, options: new Map([[52, bytesOf(1)]]) });
    bytes.set([52, 1, 3, 54, 4, 1, 2, 3, 4, 255], 108);
    bytes.set([15, 1, 0x78, 255], 44);
    const parsed = parseDhcp(bytes);
    if (typeof parsed === "string") throw new Error(parsed);
    expect(read32Option(parsed, OPTION_SERVER_ID)).toBe(0x01020304);
    expect(textOption(parsed, OPTION_DOMAIN)).toBeNull();
  });

  test("an option that reaches beyond its field is dropped, at every length", () => {
    const bytes = buildDhcp(message);
    const lastBytes = bytes.length - 1;
    for (const length of [1, 2, 255]) {
      const cut = bytes.slice();
      cut.fill(0, 240);
      cut.set([53, 1, 2], 240);
      cut[lastBytes - 1] = 54;
      cut[lastBytes] = length;
      expect(parseDhcp(cut), `length ${length}`).toBe("DHCP_OPTION");
    }
    const noType = bytes.slice();
    noType.fill(0, 240);
    expect(parseDhcp(noType)).toBe("DHCP_TYPE");
  });
});

describe("dns", () => {
  const address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1];

  test("parseDnsResponse() reads what a query got", () => {
    expect(buildDnsQuery(0x1234, "a.b").slice(12)).toEqual(bytesOf(...dnsName("a.b"), 0, 1, 0, 1));
    expect(parseDnsResponse(dnsAnswer(1, ...address))).toMatchObject({
      id: 0x1234,
      rcode: 0,
      truncated: false,
      question: { name: "a.b", type: 1, class: 1 },
      answers: [{ name: "a.b", ttlSeconds: 60, type: "A", data: A }],
    });
    expect(parseDnsResponse(buildDnsQuery(1, "a.b"))).toBe("DNS_FORM");
  });

  test("a pointer to itself, forward, or in a circle is dropped", () => {
    const rest = address.slice(2);
    expect(parseDnsResponse(dnsAnswer(1, 0xc0, 21, ...rest))).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, 0xc0, 40, ...rest))).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, 1, 0x78, 0xc0, 21, ...rest))).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, 0xc0, 0, ...rest))).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, 0xc0))).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, 0x80, 1, ...rest))).toBe("DNS_NAME");
  });

  test("names of 255 bytes are read, longer ones dropped", () => {
    const label = [63, ...new Array<number>(63).fill(0x61)];
    const fixed = [0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4];
    const last = (size: number): number[] => [size, ...new Array<number>(size).fill(0x62), 0];
    const fits = dnsAnswer(1, ...label, ...label, ...label, ...last(61), ...fixed);
    expect(typeof parseDnsResponse(fits)).toBe("object");
    const tooLong = dnsAnswer(1, ...label, ...label, ...label, ...last(62), ...fixed);
    expect(parseDnsResponse(tooLong)).toBe("DNS_NAME");
    expect(parseDnsResponse(dnsAnswer(1, ...last(64), ...fixed))).toBe("DNS_NAME");
  });

  test("counts are upper bounds, and at most 256 records are visited", () => {
    const one = parseDnsResponse(dnsAnswer(255, ...address));
    expect(typeof one === "string" ? one : one.answers.length).toBe(1);
    const many = dnsAnswer(0, ...new Array<number[]>(400).fill(address).flat());
    write16(many, 6, 400);
    const parsed = parseDnsResponse(many);
    expect(typeof parsed === "string" ? parsed : parsed.answers.length).toBe(256);
  });

  test("normalizeName() refuses what can not be a host name", () => {
    expect(normalizeName("Example.COM.")).toBe("example.com");
    expect(() => normalizeName("")).toThrow(RangeError);
    expect(() => normalizeName("bücher.example")).toThrow("xn--");
    expect(() => normalizeName("a..b")).toThrow(RangeError);
    expect(() => normalizeName("a".repeat(64))).toThrow(RangeError);
    expect(normalizeName(`${"a.".repeat(126)}a`).length).toBe(253);
    expect(() => normalizeName(`${"a.".repeat(126)}aa`)).toThrow(RangeError);
  });
});

/** A TCP segment with options, its checksum filled in. */
function tcpPacket(flags: number, data: Uint8Array, options: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(20 + options.length + data.length);
  write16(bytes, 0, 49_152);
  write16(bytes, 2, 80);
  write32(bytes, 4, 0xfffffffe);
  write32(bytes, 8, 7);
  bytes[12] = ((20 + options.length) / 4) << 4;
  bytes[13] = flags;
  write16(bytes, 14, 65_535);
  bytes.set(options, 20);
  bytes.set(data, 20 + options.length);
  write16(bytes, 16, internetChecksum(bytes, pseudoHeaderSum(A, B, 6, bytes.length)));
  return buildIpv4Packet({ source: A, destination: B, protocol: 6 }, bytes);
}

describe("decode", () => {
  test("decodeFrame() writes TCP as packet scripts do", () => {
    const options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
    expect(decodeIpv4(tcpPacket(0x02, new Uint8Array(0), options))).toBe(
      "10.0.0.1:49152 > 10.0.0.2:80 S 4294967294:4294967294(0) win 65535 " +
        "<mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
    );
    const sack = [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9];
    expect(decodeIpv4(tcpPacket(0x18, bytesOf(1, 2, 3), sack))).toBe(
      "10.0.0.1:49152 > 10.0.0.2:80 P. 4294967294:1(3) ack 7 win 65535 <nop,nop,sack 1:9>",
    );
    expect(decodeIpv4(tcpPacket(0x10, new Uint8Array(0), [8, 1, 0, 0]))).toContain(
      "<[option 8 length 1]>",
    );
  });

  test("decodeFrame() names ARP, UDP, ICMP and what it can not parse", () => {
    const target = { targetMac: macOf(2), targetAddress: B };
    const ask = { operation: ARP_REQUEST, senderMac: macOf(1), senderAddress: A, ...target };
    const wrap = (type: number, bytes: Uint8Array): Uint8Array =>
      buildEthernet(macOf(2), macOf(1), type, bytes);
    expect(decodeFrame(wrap(ETHERTYPE_ARP, buildArp(ask)))).toBe(
      "ARP who-has 10.0.0.2 tell 10.0.0.1",
    );
    expect(decodeFrame(wrap(ETHERTYPE_ARP, buildArp({ ...ask, operation: ARP_REPLY })))).toBe(
      "ARP 10.0.0.1 is-at 02:00:00:00:00:01",
    );
    const udp = buildUdp({ sourcePort: 68, destinationPort: 67, payload: bytesOf(1) }, A, B);
    const packet = buildIpv4Packet({ source: A, destination: B, protocol: 17 }, udp);
    expect(decodeFrame(wrap(ETHERTYPE_IPV4, packet))).toBe(
      "10.0.0.1:68 > 10.0.0.2:67 UDP length 1",
    );
    const error = buildIcmp({ type: 3, code: 3, rest: 0, body: packet.slice(0, 28) });
    const errorPacket = buildIpv4Packet({ source: B, destination: A, protocol: 1 }, error);
    expect(decodeFrame(wrap(ETHERTYPE_IPV4, errorPacket))).toBe(
      "10.0.0.2 > 10.0.0.1 ICMP type 3 code 3 for protocol 17 10.0.0.1:68 > 10.0.0.2:67",
    );
    expect(decodeFrame(wrap(0x86dd, bytesOf(1)))).toContain("ethertype 0x86dd");
    expect(decodeFrame(bytesOf(1, 2))).toBe("[ETHERNET_SHORT, 2 bytes]");
  });
});

test("no parser throws, whatever is cut off or changed", () => {
  const tcp = tcpPacket(0x18, bytesOf(1, 2), [1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9]);
  const dhcp = buildDhcp({
    op: BOOT_REPLY,
    type: DHCP_OFFER,
    xid: 1,
    secs: 0,
    broadcast: false,
    ciaddr: 0,
    yiaddr: B,
    giaddr: 0,
    chaddr: macOf(1),
    options: new Map([[52, bytesOf(3)], [OPTION_SERVER_ID, option32(A)]]),
  });
  const alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 0x78, 0xc0, 14];
  const cases: readonly (readonly [Uint8Array, (bytes: Uint8Array) => unknown])[] = [
    [buildEthernet(macOf(1), macOf(2), ETHERTYPE_IPV4, tcp), decodeFrame],
    [dhcp, parseDhcp],
    [dnsAnswer(2, ...alias, ...alias), parseDnsResponse],
    [buildIcmp({ type: 3, code: 3, rest: 0, body: tcp }), parseIcmp],
    [buildUdp({ sourcePort: 1, destinationPort: 2, payload: tcp }, A, B), (b) => parseUdp(b, A, B)],
    [tcp, parseIpv4Packet],
    [tcp, parseArp],
  ];
  for (const [bytes, parse] of cases) mutate(bytes, SEED, (mutant) => void parse(mutant));
  expect(cases.length).toBe(7);
});
