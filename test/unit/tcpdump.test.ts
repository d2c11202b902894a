import { describe, expect, test } from "vitest";
import { TraceFormatter } from "../../src/trace/tcpdump.ts";
import { formatIpv6 } from "../../src/wire/address_text.ts";
import { ARP_REPLY, ARP_REQUEST, buildArp } from "../../src/wire/arp.ts";
import { write16, write32 } from "../../src/wire/bytes.ts";
import { internetChecksum, sumWords } from "../../src/wire/checksum.ts";
import { buildEthernet, ETHERTYPE_ARP, ETHERTYPE_IPV4 } from "../../src/wire/ethernet.ts";
import { buildIcmp } from "../../src/wire/icmp.ts";
import { buildIpv4Packet, PROTOCOL_ICMP, PROTOCOL_UDP } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";
import { decodeFrame } from "../../src/wire/decode.ts";
import { tcpFrame } from "../edge.ts";

const A = 0x0a00_0001;
const B = 0x0a00_0002;
const MAC_A = Uint8Array.of(2, 0, 0, 0, 0, 1);
const MAC_B = Uint8Array.of(2, 0, 0, 0, 0, 2);
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

/** A segment; what is left out is 0. */
interface Segment {
  readonly isFromB?: boolean;
  readonly port?: number;
  readonly flags?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  readonly urg?: number;
  readonly dataBytes?: number;
  readonly options?: readonly number[];
}

/** Port 1037 of A, or another, and port 80 of B. */
function tcpBytes(segment: Segment): Uint8Array {
  const { isFromB = false, port = 1037, options = [] } = segment;
  const bytes = new Uint8Array(20 + options.length + (segment.dataBytes ?? 0));
  write16(bytes, 0, isFromB ? 80 : port);
  write16(bytes, 2, isFromB ? port : 80);
  write32(bytes, 4, segment.seq ?? 0);
  write32(bytes, 8, segment.ack ?? 0);
  write16(bytes, 12, ((5 + options.length / 4) << 12) | (segment.flags ?? 0));
  write16(bytes, 14, segment.win ?? 4096);
  write16(bytes, 18, segment.urg ?? 0);
  bytes.set(options, 20);
  return bytes;
}

function withSum(bytes: Uint8Array, addresses: Uint8Array, protocol: number): Uint8Array {
  write16(bytes, 16, internetChecksum(bytes, sumWords(addresses) + protocol + bytes.length));
  return bytes;
}

function ipv4(protocol: number, payload: Uint8Array, isFromB = false): Uint8Array {
  const ends = isFromB ? { source: B, destination: A } : { source: A, destination: B };
  return buildIpv4Packet({ ...ends, protocol }, payload);
}

function tcp4(segment: Segment): Uint8Array {
  const packet = ipv4(6, tcpBytes(segment), segment.isFromB);
  withSum(packet.subarray(20), packet.slice(12, 20), 6);
  return packet;
}

/** From 2001:db8::1 to 2001:db8::2, with the extension headers given. */
function ipv6(
  protocol: number,
  payload: Uint8Array,
  extensions: readonly number[] = [],
): Uint8Array {
  const packet = new Uint8Array(40 + extensions.length + payload.length);
  write32(packet, 0, 0x6000_0000);
  write16(packet, 4, extensions.length + payload.length);
  packet[6] = protocol;
  packet[7] = 64;
  write32(packet, 8, 0x2001_0db8);
  packet[23] = 1;
  write32(packet, 24, 0x2001_0db8);
  packet[39] = 2;
  packet.set(extensions, 40);
  packet.set(payload, 40 + extensions.length);
  return packet;
}

function show(packet: Uint8Array): string {
  return new TraceFormatter().packet(packet);
}

const HANDSHAKE: readonly Segment[] = [
  { flags: SYN, seq: 1_415_531_521, options: [2, 4, 4, 0] },
  { isFromB: true, flags: SYN | ACK, seq: 1_823_083_521, ack: 1_415_531_522 },
  { flags: ACK, seq: 1_415_531_522, ack: 1_823_083_522 },
  { flags: FIN | ACK, seq: 1_415_531_522, ack: 1_823_083_522 },
  { isFromB: true, flags: ACK, seq: 1_823_083_522, ack: 1_415_531_523 },
];

const TIMES_MS = [5_000, 5_002.402, 5_007.224, 9_155.441, 9_156.747];

describe("the classic form (S80)", () => {
  function trace(formatter: TraceFormatter): string[] {
    return HANDSHAKE.map((segment, index) => {
      const frame = buildEthernet(MAC_B, MAC_A, ETHERTYPE_IPV4, tcp4(segment));
      return formatter.line(TIMES_MS[index] ?? 0, frame);
    });
  }

  test("numbers are relative after the SYN, and times are followed by what passed between", () => {
    expect(trace(new TraceFormatter({ isNumbered: true }))).toEqual([
      "1 0.0 10.0.0.1.1037 > 10.0.0.2.80: S 1415531521:1415531521(0) win 4096 <mss 1024>",
      "2 0.002402 (0.0024) 10.0.0.2.80 > 10.0.0.1.1037: S 1823083521:1823083521(0) ack 1415531522 win 4096",
      "3 0.007224 (0.0048) 10.0.0.1.1037 > 10.0.0.2.80: . ack 1 win 4096",
      "4 4.155441 (4.1482) 10.0.0.1.1037 > 10.0.0.2.80: F 1:1(0) ack 1 win 4096",
      "5 4.156747 (0.0013) 10.0.0.2.80 > 10.0.0.1.1037: . ack 2 win 4096",
    ]);
  });

  test("numbers are absolute if that is asked for, and time begins where it is told", () => {
    const lines = trace(new TraceFormatter({ isAbsolute: true, originMs: 4_000 }));
    expect(lines[0]).toMatch(/^1\.000000 10\.0\.0\.1/);
    expect(lines[3]).toBe(
      "5.155441 (4.1482) 10.0.0.1.1037 > 10.0.0.2.80: F 1415531522:1415531522(0) ack 1823083522 win 4096",
    );
  });

  test("a refused connection is shown with the numbers of its reset", () => {
    const formatter = new TraceFormatter();
    formatter.packet(tcp4({ flags: SYN, seq: 297_416_193 }));
    expect(formatter.packet(tcp4({ isFromB: true, flags: RST | ACK, ack: 297_416_194, win: 0 })))
      .toBe("10.0.0.2.80 > 10.0.0.1.1037: R 0:0(0) ack 297416194 win 0");
  });

  test("a segment without ACK shows its numbers as they are", () => {
    const formatter = new TraceFormatter();
    for (const segment of HANDSHAKE) formatter.packet(tcp4(segment));
    expect(formatter.packet(tcp4({ isFromB: true, flags: RST, seq: 1_823_083_522, win: 0 })))
      .toBe("10.0.0.2.80 > 10.0.0.1.1037: R 1823083522:1823083522(0) win 0");
  });

  test("a connection whose beginning was not seen is relative from its second segment on", () => {
    const formatter = new TraceFormatter();
    const data = { flags: PSH | ACK, seq: 500, ack: 900, dataBytes: 10 };
    expect(formatter.packet(tcp4(data))).toContain("P 500:510(10) ack 900");
    expect(formatter.packet(tcp4({ ...data, seq: 510 }))).toContain("P 10:20(10) ack 1");
    expect(formatter.packet(tcp4({ isFromB: true, flags: ACK, seq: 900, ack: 520 }))).toContain(
      ". ack 20",
    );
  });

  test("the oldest connection gives way", () => {
    const formatter = new TraceFormatter({ flowsMax: 2 });
    const data = (port: number) => tcp4({ port, flags: ACK, seq: 70, ack: 1, dataBytes: 1 });
    for (const port of [1, 2, 3]) formatter.packet(data(port));
    const isKnown = (port: number) => formatter.packet(data(port)).includes(" 0:1(1)");
    expect([isKnown(3), isKnown(2), isKnown(1)]).toEqual([true, true, false]);
  });
});

describe("segments", () => {
  test.each<[string, Segment, string]>([
    ["all flags", { flags: 0x1ff, urg: 7, ack: 5 }, "SFRPWEA 0:0(0) ack 5 win 4096 urg 7"],
    ["no flags", {}, ". win 4096"],
    [
      "numbers that wrap",
      { flags: PSH, seq: 0xffff_ffff, dataBytes: 3 },
      "P 4294967295:2(3) win 4096",
    ],
    ["options of a SYN", {
      flags: SYN,
      options: [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7],
    }, "S 0:0(0) win 4096 <mss 1460,sackOK,TS val 9 ecr 0,nop,wscale 7>"],
    [
      "other options",
      { flags: SYN, options: [34, 4, 0xab, 0xcd, 28, 4, 0, 9, 253, 3, 1, 0] },
      [
        "S 0:0(0) win 4096 <FO abcd,uto 9,opt-253:01,eol>",
      ].join(""),
    ],
    [
      "an option that does not end",
      { flags: SYN, options: [1, 1, 8, 10] },
      [
        "S 0:0(0) win 4096 <nop,nop,[bad opt 8]>",
      ].join(""),
    ],
  ])("%s", (_, segment, text) => {
    expect(show(tcp4(segment))).toBe(`10.0.0.1.1037 > 10.0.0.2.80: ${text}`);
  });

  test("SACK blocks are relative to what they acknowledge", () => {
    const formatter = new TraceFormatter();
    formatter.packet(tcp4({ isFromB: true, flags: SYN | ACK, seq: 9_000, ack: 501 }));
    const options = [1, 1, 5, 10, 0, 0, 0x23, 0x8d, 0, 0, 0x23, 0x91];
    expect(formatter.packet(tcp4({ flags: ACK, seq: 501, ack: 9_001, options })))
      .toContain(". ack 1 win 4096 <nop,nop,sack 101:105>");
  });

  test("marks of the IP header and wrong checksums stand at the end", () => {
    const packet = tcp4({ flags: ACK, ack: 1 });
    packet[1] = 0x0b;
    expect(show(packet)).toMatch(/win 4096 \[tos 0xb,CE\] \[bad ip cksum\]$/);
    packet[39] = 1;
    expect(show(packet)).toMatch(/win 4096 \[bad tcp cksum\] \[tos/);
  });

  test("a super-segment shows all of its text; a checksum left to be completed is not a wrong one", () => {
    const text = new Uint8Array(64_000);
    for (const version of [4, 6] as const) {
      const parts = { version, text, seq: 1, ack: 1, win: 4096 };
      expect(show(tcpFrame(parts).subarray(14))).toMatch(/ \. 1:64001\(64000\) ack 1 win 4096$/);
      const partial = tcpFrame({ ...parts, isPartial: true });
      expect(show(partial.subarray(14))).toMatch(/win 4096 \[partial tcp cksum\]$/);
      partial[partial.length - 1] = 1;
      expect(show(partial.subarray(14))).toMatch(/win 4096 \[partial tcp cksum\]$/);
      if (version === 4) expect(decodeFrame(partial)).toMatch(/win 4096 \[TCP_CHECKSUM_PARTIAL\]$/);
      partial[version === 4 ? 50 : 70] = 0x55;
      expect(show(partial.subarray(14))).toMatch(/win 4096 \[bad tcp cksum\]$/);
    }
    const datagram = ipv4(PROTOCOL_UDP, Uint8Array.of(0, 53, 4, 0, 0, 9, 0, 0, 7));
    // 10.0.0.1 and 10.0.0.2, protocol 17, 9 bytes.
    datagram.set([0x14, 0x1d], 26);
    expect(show(datagram)).toBe("10.0.0.1.53 > 10.0.0.2.1024: udp 1 [partial udp cksum]");
  });

  test("over IPv6, behind extension headers too", () => {
    const plain = ipv6(6, tcpBytes({ flags: SYN, seq: 7 }));
    withSum(plain.subarray(40), plain.slice(8, 40), 6);
    expect(show(plain)).toBe("2001:db8::1.1037 > 2001:db8::2.80: S 7:7(0) win 4096");
    const behind = ipv6(0, tcpBytes({ flags: SYN, seq: 7 }), [6, 0, 1, 4, 0, 0, 0, 0]);
    withSum(behind.subarray(48), behind.slice(8, 40), 6);
    expect(show(behind)).toBe(show(plain));
    behind[50] = 1;
    expect(show(behind)).toContain("[bad tcp cksum]");
  });
});

describe("everything else", () => {
  test("UDP", () => {
    const datagram = { sourcePort: 53, destinationPort: 1024, payload: new Uint8Array(9) };
    const packet = ipv4(PROTOCOL_UDP, buildUdp(datagram, A, B));
    expect(show(packet)).toBe("10.0.0.1.53 > 10.0.0.2.1024: udp 9");
    packet[30] = 1;
    expect(show(packet)).toBe("10.0.0.1.53 > 10.0.0.2.1024: udp 9 [bad udp cksum]");
  });

  test.each<[string, number, number, number, Segment | null, string]>([
    ["a ping", 8, 0, 0x0007_0002, null, "icmp: echo request id 7 seq 2"],
    ["its answer", 0, 0, 0x0007_0002, null, "icmp: echo reply id 7 seq 2"],
    ["a closed port", 3, 3, 0, {}, "icmp: 10.0.0.2 tcp port 80 unreachable"],
    ["a host", 3, 1, 0, {}, "icmp: host 10.0.0.2 unreachable"],
    ["a filter", 3, 13, 0, {}, "icmp: 10.0.0.2 unreachable - admin prohibited"],
    ["an MTU", 3, 4, 1300, {}, "icmp: 10.0.0.2 unreachable - need to frag (mtu 1300)"],
    ["a loop", 11, 0, 0, {}, "icmp: time exceeded in-transit [10.0.0.1 > 10.0.0.2]"],
    ["a broken quotation", 3, 3, 0, null, "icmp: unreachable code 3 [empty]"],
    ["a plea", 4, 0, 0, null, "icmp: source quench"],
    ["an unknown one", 99, 5, 0, null, "icmp: type-#99 code 5"],
  ])("ICMP about %s", (_, type, code, rest, quoted, text) => {
    const body = quoted === null ? new Uint8Array(0) : tcp4(quoted);
    const packet = ipv4(PROTOCOL_ICMP, buildIcmp({ type, code, rest, body }), true);
    expect(show(packet)).toBe(`10.0.0.2 > 10.0.0.1: ${text}`);
  });

  test("ICMP of IPv6", () => {
    const tooBig = new Uint8Array(8 + 60);
    tooBig[0] = 2;
    write32(tooBig, 4, 1280);
    tooBig.set(ipv6(6, tcpBytes({})), 8);
    expect(show(ipv6(58, tooBig))).toBe(
      "2001:db8::1 > 2001:db8::2: icmp6: [2001:db8::1 > 2001:db8::2] too big (mtu 1280)",
    );
    expect(show(ipv6(58, Uint8Array.of(135, 0, 0, 0, 0, 0, 0, 0)))).toContain(
      "neighbor solicitation",
    );
  });

  test("ARP", () => {
    const arp = { senderMac: MAC_A, senderAddress: A, targetMac: MAC_B, targetAddress: B };
    const frame = (operation: number) =>
      buildEthernet(MAC_B, MAC_A, ETHERTYPE_ARP, buildArp({ ...arp, operation }));
    const formatter = new TraceFormatter();
    expect(formatter.frame(frame(ARP_REQUEST))).toBe("arp who-has 10.0.0.2 tell 10.0.0.1");
    expect(formatter.frame(frame(ARP_REPLY))).toBe("arp reply 10.0.0.1 is-at 02:00:00:00:00:01");
  });

  test("fragments", () => {
    const packet = ipv4(17, new Uint8Array(16));
    write16(packet, 6, 0x2000 | 185);
    write16(packet, 10, 0);
    write16(packet, 10, internetChecksum(packet.subarray(0, 20)));
    expect(show(packet)).toBe("10.0.0.1 > 10.0.0.2: (frag 16@1480+)");
    const later = ipv6(44, new Uint8Array(8), [6, 0, 0, 16, 0, 0, 0, 9]);
    expect(show(later)).toBe("2001:db8::1 > 2001:db8::2: (frag 8@16)");
  });

  test("what nobody speaks", () => {
    const frame = buildEthernet(MAC_B, MAC_A, 0x88cc, new Uint8Array(3));
    expect(new TraceFormatter().frame(frame)).toMatch(
      / > 02:00:00:00:00:02: ethertype 0x88cc \d+$/,
    );
    expect(show(ipv4(50, new Uint8Array(4)))).toBe("10.0.0.1 > 10.0.0.2: ip-proto-50 4");
  });

  test("a frame that is cut anywhere is one line and no exception", () => {
    const packets = [
      tcp4({ flags: SYN, options: [2, 4, 5, 0xb4] }),
      ipv4(PROTOCOL_ICMP, buildIcmp({ type: 3, code: 3, rest: 0, body: tcp4({}) })),
      ipv6(0, tcpBytes({}), [43, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]),
    ];
    for (const packet of packets) {
      for (let bytes = 0; bytes <= packet.length; bytes++) {
        expect(show(packet.subarray(0, bytes))).toMatch(/^\S[^\n]*$/);
      }
    }
    expect(new TraceFormatter().frame(new Uint8Array(5))).toBe("[truncated-ethernet, 5 bytes]");
  });
});

describe("IPv6 addresses", () => {
  test.each<[string, number[]]>([
    ["::", [0, 0, 0, 0, 0, 0, 0, 0]],
    ["::1", [0, 0, 0, 0, 0, 0, 0, 1]],
    ["2001:db8::", [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]],
    ["2001:db8:0:1:1:1:1:1", [0x2001, 0xdb8, 0, 1, 1, 1, 1, 1]],
    ["2001:0:0:1::1", [0x2001, 0, 0, 1, 0, 0, 0, 1]],
    ["2001:db8::1:0:0:1", [0x2001, 0xdb8, 0, 0, 1, 0, 0, 1]],
  ])("%s", (text, groups) => {
    expect(formatIpv6(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])))).toBe(
      text,
    );
  });
});
