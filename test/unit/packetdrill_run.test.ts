/** The runner of scripts: what is wrong in one field fails, field by field; nothing else does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/cli/args.ts";
import { packetdrill } from "../../src/cli/packetdrill.ts";
import { type RunResult, runText } from "../../src/packetdrill/run.ts";
import type { RunOptions } from "../../src/packetdrill/settings.ts";

const CORE = fileURLToPath(new URL("../../dist/core.wasm", import.meta.url));
const module = new WebAssembly.Module(readFileSync(CORE));

function run(text: string, options: Partial<RunOptions> = {}): RunResult {
  return runText(text, { module, file: "test.pkt", ...options });
}

/** A passive open with all options, data both ways, a hole, and calls of several kinds. */
const BASE = `
0     socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0    bind(3, ..., ...) = 0
+0    listen(3, 1) = 0
+0    < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0    > [ttl 64] S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 50 ecr 100,nop,wscale 5>
+.1   < . 1:1(0) ack 1 win 257 <nop,nop,TS val 200 ecr 50>
+0    accept(3, ..., ...) = 4
+0    fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0    setsockopt(4, IPPROTO_IP, IP_TOS, [16], 4) = 0
+0    read(4, ..., 100) = -1 EAGAIN (Resource temporarily unavailable)
+.05  write(4, ..., 100) = 100
+0    > [tos 0x10, noecn] P. 1:101(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 200>
+.05  < . 1001:2001(1000) ack 101 win 257 <nop,nop,TS val 250 ecr 200>
+0    > . 101:101(0) ack 1 win 2048 urg 0 <nop,nop,TS val 250 ecr 200,nop,nop,sack 1001:2001>
+0    < . 1:1001(1000) ack 101 win 257 <nop,nop,TS val 250 ecr 250>
+0    > . 101:101(0) ack 2001 <...>
+0    ioctl(4, SIOCINQ, [2000]) = 0
+0    read(4, ..., 3000) = 2000
+0    > . 101:101(0) ack 2001 <...>
+.1   write(4, ..., 100) = 100
+0    > P. 101:201(100) ack 2001 <...>
`;

/** What is changed in the base, and what the failure says. */
const MISTAKES: readonly (readonly [name: string, from: string, to: string, says: string])[] = [
  ["flags: SYN,ACK", "S. 0:0(0)", "S 0:0(0)", "flags"],
  ["flags: PSH", "P. 1:101(100) ack 1", ". 1:101(100) ack 1", "flags"],
  ["flags: FIN", "P. 1:101(100) ack 1", "FP. 1:101(100) ack 1", "flags"],
  ["flags: ECE", "S. 0:0(0)", "SE. 0:0(0)", "flags"],
  ["seq", "P. 1:101(100) ack 1", "P. 2:102(100) ack 1", "seq"],
  ["seq of a pure ACK", "> . 101:101(0) ack 1 ", "> . 100:100(0) ack 1 ", "seq"],
  ["payload length, too long", " P. 1:101(100)", " P. 1:201(200)", "length"],
  ["payload length, too short", " P. 1:101(100)", " P. 1:51(50)", "length"],
  ["ack", "P. 1:101(100) ack 1", "P. 1:101(100) ack 2", "ack"],
  [
    "win",
    "ack 1 win 2048 <nop,nop,TS val 200 ecr 200>",
    "ack 1 win 2047 <nop,nop,TS val 200 ecr 200>",
    "win",
  ],
  ["urg", "urg 0", "urg 1", "urg"],
  ["option: mss", "<mss 1460", "<mss 1461", "options"],
  ["option: wscale", "wscale 5>", "wscale 6>", "options"],
  [
    "option: none",
    " P. 1:101(100) ack 1 win 2048 <nop,nop,TS val 200 ecr 200>",
    " P. 1:101(100) ack 1 win 2048",
    "options",
  ],
  [
    "option: order",
    "<mss 1460,sackOK,TS val 50 ecr 100,",
    "<sackOK,mss 1460,TS val 50 ecr 100,",
    "options",
  ],
  [
    "option: missing sackOK",
    "<mss 1460,sackOK,TS val 50 ecr 100,nop,wscale 5>",
    "<mss 1460,nop,nop,TS val 50 ecr 100,nop,wscale 5>",
    "options",
  ],
  [
    "option: missing nop",
    "<nop,nop,TS val 200 ecr 200>",
    "<TS val 200 ecr 200,nop,nop>",
    "options",
  ],
  ["option: TS ecr", "<nop,nop,TS val 200 ecr 200>", "<nop,nop,TS val 200 ecr 201>", "options"],
  ["option: sack edge", "sack 1001:2001", "sack 1001:2000", "options"],
  ["option: sack missing", ",nop,nop,sack 1001:2001", "", "options"],
  ["tos", "tos 0x10", "tos 0x14", "tos"],
  ["ecn", "noecn", "ect0", "ECN"],
  ["ttl", "ttl 64", "ttl 63", "ttl"],
  ["time: too early", "+0    > [tos", "+.01  > [tos", "early"],
  [
    "time: too late",
    "+0    > [tos",
    "0.12~0.13 > [tos",
    "late",
  ],
  ["result", "read(4, ..., 3000) = 2000", "read(4, ..., 3000) = 1999", "another result"],
  ["result: no error", "= -1 EAGAIN", "= 0", "another result"],
  ["errno", "= -1 EAGAIN", "= -1 EPIPE", "another error"],
  ["what a call writes", "SIOCINQ, [2000]", "SIOCINQ, [1999]", "another answer"],
  [
    "a packet too many",
    "+0    ioctl",
    "+0    > . 101:101(0) ack 2001 <...>\n+0    ioctl",
    "missing",
  ],
  ["a packet too few", "+0    > . 101:101(0) ack 2001 <...>\n", "", "differs"],
  ["flow label", "[ttl 64]", "[flowlabel 0x1, ttl 64]", "flow label"],
];

describe("a mistake in one field", () => {
  test("there is none in the base", () => {
    const result = run(BASE);
    expect(result.message).toBeNull();
    expect(result.result).toBe("pass");
  });

  test.each(MISTAKES)("%s", (_name, from, to, says) => {
    expect(BASE).toContain(from);
    const result = run(BASE.replace(from, to));
    expect(result.result, result.message ?? "it passed").toBe("fail");
    expect(result.message).toContain(says);
    expect(result.line).toBeGreaterThan(1);
  });
});

/** Bytes of a frame that are changed, and what the failure says. */
const BROKEN: readonly (readonly [name: string, at: number, says: string])[] = [
  ["the TCP checksum", 14 + 20 + 16, "TCP checksum"],
  ["the IP checksum", 14 + 10, "IP header's checksum"],
  ["the total length", 14 + 3, "total length"],
  ["a reserved bit of the TCP header", 14 + 20 + 12, "checksum"],
  ["the source MAC", 6, "source MAC"],
];

describe("a broken packet", () => {
  test.each(BROKEN)("%s", (_name, at, says) => {
    const corrupt = (frame: Uint8Array): void => {
      frame[at] = (frame[at] ?? 0) ^ 2;
    };
    const result = run(BASE, { corrupt });
    expect(result.result).toBe("fail");
    expect(result.message).toContain(says);
  });

  test("payload that is not what was written", () => {
    const corrupt = (frame: Uint8Array): void => {
      const last = frame.length - 1;
      if (frame.length < 150) return;
      // The sum stays right: one word more, and the urgent pointer one less.
      frame[last] = 1;
    };
    expect(run(BASE, { corrupt }).message).toContain("payload is not all zeros");
  });
});

const OPEN = `
0     socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0    bind(3, ..., ...) = 0
+0    listen(3, 1) = 0
+0    < S 0:0(0) win 32792 <mss 1000,nop,nop,sackOK>
+0    > S. 0:0(0) ack 1 <...>
+0    < . 1:1(0) ack 1 win 32792
+0    accept(3, ..., ...) = 4
`;

describe("time", () => {
  test.each([
    [
      "a blocking read returns when data comes",
      "+0...+.2 read(4, ..., 100) = 50\n+.2 < P. 1:51(50) ack 1 win 9",
      "pass",
    ],
    [
      "it returns too early",
      "+0...+.2 read(4, ..., 100) = 50\n+.1 < P. 1:51(50) ack 1 win 9",
      "fail",
    ],
    [
      "it returns too late",
      "+0...+.1 read(4, ..., 100) = 50\n+.2 < P. 1:51(50) ack 1 win 9",
      "fail",
    ],
    ["it never returns", "+0...+.1 read(4, ..., 100) = 50", "fail"],
    ["a call that may not block does", "+0 read(4, ..., 100) = 50", "fail"],
    [
      "a poll ends by its time",
      "+0...+.1 poll([{fd=4, events=POLLIN, revents=0}], 1, 100) = 0",
      "pass",
    ],
    [
      "a poll ends by its time, not later",
      "+0...+.2 poll([{fd=4, events=POLLIN, revents=0}], 1, 100) = 0",
      "fail",
    ],
    ["a window holds the packet", "+0 write(4, ..., 10) = 10\n+0~+.1 > P. 1:11(10) ack 1", "pass"],
    [
      "a window begins after the packet",
      "+0 write(4, ..., 10) = 10\n+.1~+.2 > P. 1:11(10) ack 1",
      "fail",
    ],
    ["any time", "+0 write(4, ..., 10) = 10\n* > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1", "pass"],
    ["a time that has passed", "+.5 write(4, ..., 10) = 10\n0.1 read(4, ..., 10) = 0", "fail"],
    [
      "a retransmission in time",
      "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+1 > P. 1:11(10) ack 1",
      "fail",
    ],
  ])("%s", (_name, tail, expected) => {
    const result = run(OPEN + tail);
    expect(result.result, result.message ?? "").toBe(expected);
  });
});

describe("segments of a large packet", () => {
  const write = "+0 write(4, ..., 3000) = 3000\n";
  test("are joined", () => {
    expect(run(`${OPEN}${write}+0 > P. 1:3001(3000) ack 1`).message).toBeNull();
  });

  test("are not, if the script wants segments", () => {
    const text = `--strict_segments\n${OPEN}${write}+0 > P. 1:3001(3000) ack 1`;
    expect(run(text).message).toContain("length");
  });

  test("are not, if one is missing", () => {
    expect(run(`${OPEN}${write}+0 > P. 1:3101(3100) ack 1`).message).toContain("length");
  });
});

describe("leniency", () => {
  const lenient = { isLenient: true };
  const text = `${OPEN}
+0    < . 1:1001(1000) ack 1 win 32792
+0    > . 1:1(0) ack 1001
+0    < . 1001:2001(1000) ack 1 win 32792
+0    > . 1:1(0) ack 2001
+0    write(4, ..., 10) = 10
+0    > . 1:11(10) ack 2001 win 1
`;

  test("pure ACKs may be joined, PSH and our window may differ", () => {
    expect(run(text).result).toBe("fail");
    expect(run(text, lenient).message).toBeNull();
  });

  test("options may be laid out otherwise", () => {
    const other = BASE.replace(
      "<mss 1460,sackOK,TS val 50 ecr 100,nop,wscale 5>",
      "<mss 1460,nop,wscale 9,nop,nop,TS val 50 ecr 100,sackOK,eol,eol>",
    );
    expect(other).not.toBe(BASE);
    expect(run(other).result).toBe("fail");
    expect(run(other, lenient).message).toBeNull();
  });

  test.each(
    [
      ["seq", "> . 1:11(10)", "> . 2:12(10)"],
      ["ack", "> . 1:11(10) ack 2001", "> . 1:11(10) ack 2000"],
      ["an ACK that never comes", "> . 1:1(0) ack 2001", "> . 1:1(0) ack 3001"],
      ["flags", "> . 1:11(10)", "> F. 1:11(10)"],
    ],
  )("%s stays strict", (_name, from, to) => {
    expect(text).toContain(from);
    expect(run(text.replace(from, to), lenient).result).toBe("fail");
  });
});

describe("what is not here", () => {
  test.each([
    ["a command", "`nft add table x`\n" + OPEN],
    ["a call", `${OPEN}+0 splice(4, 0, 5, 0, 10, 0) = 10`],
    ["a socket option", `${OPEN}+0 setsockopt(4, SOL_TCP, TCP_ULP, [1], 4) = 0`],
    ["UDP", `${OPEN}+0 < udp (10)`],
    ["an option of the runner", `--wire_speed=9\n${OPEN}`],
  ])("%s is not supported", (_name, text) => {
    const result = run(text);
    expect(result.result, result.message ?? "").toBe("unsupported");
    expect(result.message).toMatch(/^test\.pkt:\d+: /);
  });

  test("commands may be ignored", () => {
    expect(run("`nft add table x`\n" + OPEN, { ignoresCommands: true }).result).toBe("pass");
  });

  test("knobs change the stack, until it runs", () => {
    const text = OPEN.replace("<...>", "<mss 1460>").replace(
      "<mss 1000,nop,nop,sackOK>",
      "<mss 1000,nop,nop,sackOK>",
    );
    expect(run(`\`sysctl -q net.ipv4.tcp_sack=0\`\n${text}`).message).toBeNull();
    expect(run(text).result).toBe("fail");
    expect(run(`${OPEN}+0 \`sysctl -q net.ipv4.tcp_sack=0\``).result).toBe("unsupported");
  });

  test("options of the command line win", () => {
    const text = `--option=sack=1\n${OPEN}`;
    expect(run(text, { options: [["sack", "0"]] }).packets.join("\n")).not.toContain(
      "> S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK",
    );
    const bad = run(OPEN, { options: [["rtoMinMs", "soon"]] });
    expect(bad.message).toContain('cannot use "soon" for rtoMinMs: expected a number');
  });
});

describe("code", () => {
  test("sees the connection", () => {
    expect(run(`${OPEN}+0 %{ assert tcpi_state == TCP_ESTABLISHED, tcpi_state }%`).message)
      .toBeNull();
    const result = run(`${OPEN}+0 %{ assert tcpi_snd_mss == 999 }%`);
    expect(result.result).toBe("fail");
    expect(result.message).toContain("tcpi_snd_mss == 999");
  });
});

describe("the command", () => {
  const folder = mkdtempSync(join(tmpdir(), "tidewire_packetdrill_"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const good = file("good.pkt", BASE);
  const bad = file("bad.pkt", BASE.replace("ttl 64", "ttl 63"));
  const other = file("other.pkt", "`nft list`\n" + OPEN);

  async function command(...args: string[]): Promise<{ code: number; text: string }> {
    let text = "";
    const code = await packetdrill(args, (part) => text += part);
    return { code, text };
  }

  test("exit codes", async () => {
    expect((await command(good)).code).toBe(0);
    expect((await command(good, other)).code).toBe(2);
    expect((await command(good, other, bad)).code).toBe(1);
    expect((await command("--ignore-commands", other)).code).toBe(0);
    expect((await command("--help")).code).toBe(0);
  });

  test("--json: an object a file, and the counts", async () => {
    const { text } = await command("--json", good, bad, other);
    const [first, second, third, counts] = text.trim().split("\n").map((line) => JSON.parse(line));
    expect(first).toEqual({
      file: good,
      result: "pass",
      line: null,
      expected: null,
      got: null,
      message: null,
    });
    expect(second).toMatchObject({ file: bad, result: "fail", line: 6 });
    expect(second.expected).toContain("[ttl 63] S. 0:0(0) ack 1 win 65535");
    expect(second.got).toContain("[ttl 64] S. 0:0(0) ack 1 win 65535");
    expect(third).toMatchObject({ file: other, result: "unsupported", line: 1 });
    expect(counts).toEqual({ passed: 1, failed: 1, unsupported: 1 });
  });

  test("a failure shows what was expected, what came, and the last packets", async () => {
    const { text } = await command(bad);
    expect(text).toContain("expected  0.000000 > [ttl 63] S.");
    expect(text).toContain("got       0.000000 > [ttl 64] S.");
    expect(text).toContain("0.000000 < S 0:0(0) win 32792");
    expect((await command("-v", good)).text).toContain("> P. 101:201(100) ack 2001");
  });

  test("words are replaced and versions chosen", async () => {
    const named = file("named.pkt", OPEN.replace("mss 1000", "mss SIZE"));
    expect((await command("-D", "SIZE=1000", "--ip-version", "ipv6", named)).code).toBe(0);
  });

  test.each([
    [[], "without a script"],
    [["--ip-version", "5", "a.pkt"], "expected ipv4 or ipv6"],
    [["-D", "NAME", "a.pkt"], "expected NAME=value"],
    [["--fast", "a.pkt"], "--fast"],
    [["there_is_none.pkt"], "there is no such file"],
    [[tmpdir()], "it is a directory"],
  ])("%j is refused", async (args, says) => {
    const error = await command(...args).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(says);
  });
});
