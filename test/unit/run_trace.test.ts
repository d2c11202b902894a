import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/cli/args.ts";
import { parseTrace, runTrace, TRACE_HELP, traceLines } from "../../src/cli/run_trace.ts";
import { buildIpv4Packet, PROTOCOL_UDP } from "../../src/wire/ipv4.ts";
import { buildUdp } from "../../src/wire/udp.ts";

const A = 0x0a00_0001;
const B = 0x0a00_0002;
const EMPTY = { file: null, tap: null, isAbsolute: false, isNumbered: false };

const folder = mkdtempSync(join(tmpdir(), "trace-"));
afterAll(() => rmSync(folder, { recursive: true }));

function datagram(bytes: number): Uint8Array {
  const parts = { sourcePort: 5000, destinationPort: 7, payload: new Uint8Array(bytes) };
  const ends = { source: A, destination: B, protocol: PROTOCOL_UDP };
  return buildIpv4Packet(ends, buildUdp(parts, A, B));
}

/** A capture of packets without frames, big endian, a second apart. */
function pcap(linkType: number, packets: readonly Uint8Array[]): Uint8Array {
  const words = (...values: number[]): Uint8Array => {
    const view = new DataView(new ArrayBuffer(4 * values.length));
    values.forEach((value, i) => view.setUint32(4 * i, value));
    return new Uint8Array(view.buffer);
  };
  const parts = [words(0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, linkType)];
  packets.forEach((packet, i) => {
    parts.push(words(100 + i, 500_000, packet.length, packet.length), packet);
  });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

async function run(...args: string[]): Promise<string> {
  let text = "";
  await runTrace(args, (more) => Promise.resolve(void (text += more)));
  return text;
}

describe("parseTrace()", () => {
  test("reads a file with flags, together or apart, before it or behind", () => {
    expect(parseTrace(["a.pcap"])).toEqual({ ...EMPTY, file: "a.pcap" });
    const both = { ...EMPTY, file: "a.pcap", isAbsolute: true, isNumbered: true };
    expect(parseTrace(["-Sn", "a.pcap"])).toEqual(both);
    expect(parseTrace(["a.pcap", "-n", "-S"])).toEqual(both);
  });

  test("reads the name of a TAP in each way", () => {
    const tap = { ...EMPTY, tap: "tap0" };
    for (
      const args of [["--tap", "tap0"], ["--tap=tap0"], ["--link", "tap:tap0"], ["--link=tap:tap0"]]
    ) {
      expect(parseTrace(args)).toEqual(tap);
    }
  });

  test("answers null for help", () => {
    expect(parseTrace(["--help"])).toBeNull();
    expect(parseTrace(["x", "-h"])).toBeNull();
  });

  test("says what is wrong", () => {
    const say = (...args: string[]): () => unknown => () => parseTrace(args);
    expect(say()).toThrow("Cannot trace: expected a file, or --tap NAME, and not both");
    expect(say("a", "--tap", "b")).toThrow(UsageError);
    expect(say("a", "b")).toThrow('Cannot use "b": "tidewire trace" takes one file');
    expect(say("-x", "a")).toThrow('Cannot use "-x"');
    expect(say("--tap")).toThrow("Cannot use --tap: expected a name after it");
    expect(say("--link", "eth0")).toThrow('Cannot use "eth0" for --link: expected tap:NAME');
  });
});

describe("traceLines()", () => {
  test("shows packets without frames, with the time since the first", () => {
    expect([...traceLines(pcap(101, [datagram(5), datagram(6)]))]).toEqual([
      "0.0 10.0.0.1.5000 > 10.0.0.2.7: udp 5",
      "1.000000 (1.0000) 10.0.0.1.5000 > 10.0.0.2.7: udp 6",
    ]);
  });

  test("names a link type that it can not read", () => {
    expect([...traceLines(pcap(105, [datagram(5)]))]).toEqual(["[link type 105, 33 bytes]"]);
  });
});

describe("runTrace()", () => {
  test("prints a file", async () => {
    const file = join(folder, "two.pcap");
    writeFileSync(file, pcap(101, [datagram(5), datagram(6)]));
    expect((await run("-n", file)).split("\n")).toEqual([
      "1 0.0 10.0.0.1.5000 > 10.0.0.2.7: udp 5",
      "2 1.000000 (1.0000) 10.0.0.1.5000 > 10.0.0.2.7: udp 6",
      "",
    ]);
  });

  test("prints all of a file that needs more than one piece", async () => {
    const file = join(folder, "many.pcap");
    const many = Array.from({ length: 3000 }, (_, i) => datagram(i % 100));
    writeFileSync(file, pcap(101, many));
    const lines = (await run(file)).trimEnd().split("\n");
    expect(lines).toHaveLength(3000);
    expect(lines.at(-1)).toContain("udp 99");
  });

  test("prints help", async () => {
    expect(await run("--help")).toBe(TRACE_HELP);
  });

  test("says that a file is missing, a folder, or no capture", async () => {
    await expect(run(join(folder, "none"))).rejects.toThrow("none: there is no such file");
    await expect(run(folder)).rejects.toThrow(": it is a folder");
    const file = join(folder, "text");
    writeFileSync(file, "no capture at all");
    await expect(run(file)).rejects.toThrow("Cannot read the capture: it begins with 0x");
  });

  test("prints what stands before damage, and then says so", async () => {
    const file = join(folder, "damaged.pcap");
    const bytes = pcap(101, [datagram(5), datagram(6)]);
    // The length of the second packet.
    new DataView(bytes.buffer).setUint32(24 + 16 + 33 + 8, 0x7fff_ffff);
    writeFileSync(file, bytes);
    let text = "";
    const running = runTrace([file], (more) => Promise.resolve(void (text += more)));
    await expect(running).rejects.toThrow("has length 2147483647");
    expect(text).toBe("0.0 10.0.0.1.5000 > 10.0.0.2.7: udp 5\n");
  });
});
