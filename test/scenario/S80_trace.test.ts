/** S80: a trace as tcpdump prints it: figures 18.1 and 18.5 of the documents, from a file and from a session in the sandbox. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runTrace } from "../../src/cli/run_trace.ts";
import { Sandbox } from "../../src/cli/sock_sandbox.ts";
import { TraceFormatter } from "../../src/trace/tcpdump.ts";
import type { TcpOption } from "./dsl/syntax.ts";
import { buildFrame, FLAG_ACK, FLAG_FIN, FLAG_SYN } from "./dsl/wire.ts";
import { coreModule } from "./hosts.ts";

const SVR4 = { address: 0x8cfc_0d22, port: 1037 };
const BSDI = { address: 0x8cfc_0d23, port: 9 };
const CLIENT_ISN = 1_415_531_521;
const SERVER_ISN = 1_823_083_521;
const WIN = 4096;
const MSS: readonly TcpOption[] = [{ kind: "mss", value: 1024 }];
const FIN_ACK = FLAG_FIN | FLAG_ACK;

/** The seven segments of the figures: when, µs, from whom, flags, and numbers relative to the ISNs. */
const SEGMENTS: readonly (readonly [
  timeUs: number,
  isFromClient: boolean,
  flags: number,
  seq: number,
  ack: number,
])[] = [
  [0, true, FLAG_SYN, 0, 0],
  [2_402, false, FLAG_SYN | FLAG_ACK, 0, 1],
  [7_224, true, FLAG_ACK, 1, 1],
  [4_155_441, true, FIN_ACK, 1, 1],
  [4_156_747, false, FLAG_ACK, 1, 2],
  [4_158_144, false, FIN_ACK, 1, 2],
  [4_180_662, true, FLAG_ACK, 2, 2],
];

/** Figure 18.1, the output of tcpdump -S. */
const FIGURE_18_1 = [
  "1 0.0 svr4.1037 > bsdi.discard: S 1415531521:1415531521(0) win 4096 <mss 1024>",
  "2 0.002402 (0.0024) bsdi.discard > svr4.1037: S 1823083521:1823083521(0) ack 1415531522 win 4096 <mss 1024>",
  "3 0.007224 (0.0048) svr4.1037 > bsdi.discard: . ack 1823083522 win 4096",
  "4 4.155441 (4.1482) svr4.1037 > bsdi.discard: F 1415531522:1415531522(0) ack 1823083522 win 4096",
  "5 4.156747 (0.0013) bsdi.discard > svr4.1037: . ack 1415531523 win 4096",
  "6 4.158144 (0.0014) bsdi.discard > svr4.1037: F 1823083522:1823083522(0) ack 1415531523 win 4096",
  "7 4.180662 (0.0225) svr4.1037 > bsdi.discard: . ack 1823083523 win 4096",
];

/** Figure 18.5, the output of tcpdump. */
const FIGURE_18_5 = [
  FIGURE_18_1[0],
  FIGURE_18_1[1],
  "3 0.007224 (0.0048) svr4.1037 > bsdi.discard: . ack 1 win 4096",
  "4 4.155441 (4.1482) svr4.1037 > bsdi.discard: F 1:1(0) ack 1 win 4096",
  "5 4.156747 (0.0013) bsdi.discard > svr4.1037: . ack 2 win 4096",
  "6 4.158144 (0.0014) bsdi.discard > svr4.1037: F 1:1(0) ack 2 win 4096",
  "7 4.180662 (0.0225) svr4.1037 > bsdi.discard: . ack 2 win 4096",
];

/** Names instead of addresses: what is here is a trace without a name server. */
function named(text: string): string {
  return text.replaceAll("140.252.13.34", "svr4").replaceAll("140.252.13.35.9", "bsdi.discard")
    .replaceAll("140.252.13.35", "bsdi");
}

function frames(): { timeUs: number; frame: Uint8Array }[] {
  return SEGMENTS.map(([timeUs, isFromClient, flags, seq, ack]) => ({
    timeUs,
    frame: buildFrame({
      source: isFromClient ? SVR4 : BSDI,
      destination: isFromClient ? BSDI : SVR4,
      flags,
      ecn: 0,
      seq: seq + (isFromClient ? CLIENT_ISN : SERVER_ISN),
      ack: (flags & FLAG_ACK) === 0 ? 0 : ack + (isFromClient ? SERVER_ISN : CLIENT_ISN),
      win: WIN,
      urg: 0,
      options: (flags & FLAG_SYN) === 0 ? [] : MSS,
      payload: new Uint8Array(0),
    }, false),
  }));
}

/** A capture as tcpdump -w writes it: µs, little endian. */
function pcap(): Uint8Array {
  const parts: number[] = [];
  const u32 = (...values: number[]): void => {
    for (const value of values) for (let i = 0; i < 4; i++) parts.push((value >>> (8 * i)) & 0xff);
  };
  u32(0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1);
  for (const { timeUs, frame } of frames()) {
    u32(1000 + Math.floor(timeUs / 1e6), timeUs % 1e6, frame.length, frame.length);
    parts.push(...frame);
  }
  return Uint8Array.from(parts);
}

const folder = mkdtempSync(join(tmpdir(), "trace-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function trace(...flags: string[]): Promise<string[]> {
  const file = join(folder, "figure.pcap");
  writeFileSync(file, pcap());
  let text = "";
  expect(await runTrace([...flags, file], (more) => Promise.resolve(void (text += more)))).toBe(0);
  return named(text).trimEnd().split("\n");
}

describe("S80 a trace", () => {
  test("figure 18.1: with -S all numbers are those of the wire", async () => {
    expect(await trace("-n", "-S")).toEqual(FIGURE_18_1);
  });

  test("figure 18.5: without it they count from the connection's beginning", async () => {
    expect(await trace("-n")).toEqual(FIGURE_18_5);
  });

  test("a session in the sandbox is the same, but for its times and ISNs", () => {
    const lines: string[] = [];
    const trace = new TraceFormatter();
    const sandbox = new Sandbox({
      module: coreModule(),
      print: () => {},
      mtu: 1064,
      tuning: {
        receiveBufferBytes: WIN,
        timestamps: false,
        sack: false,
        windowScale: false,
        ackEvery: 2,
      },
      onFrame: (_timeMs, frame) => {
        const line = named(trace.frame(frame));
        if (!line.startsWith("arp")) lines.push(line.replace(/S \d+:\d+\(0\)/, "S ISN:ISN(0)"));
      },
    });
    for (const line of ["svr4 % sock -b1037 bsdi 9", "wait 4", "svr4 ^D"]) sandbox.line(line);
    const figure = FIGURE_18_5.map((line) =>
      (line ?? "").replace(/^\d [\d.]+ (\([\d.]+\) )?/, "").replace(
        /S \d+:\d+\(0\)/,
        "S ISN:ISN(0)",
      )
    );
    // A FIN takes a number, and for one byte the window does not open again (RFC 9293 section 3.8.6.2.2).
    const plain = (line: string): string =>
      line.replace(/ack \d{5,}/, "ack ISN").replace("win 4095", "win 4096");
    expect(lines.map(plain)).toEqual(figure.map(plain));
  });
});
