/** S82: the sessions of the documents, repeated line by line in the sandbox; with what tcpdump and netstat show of them. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Sandbox } from "../../src/cli/sock_sandbox.ts";
import { decodeFrame } from "../../src/wire/decode.ts";

let compiled: WebAssembly.Module | undefined;

function coreModule(): WebAssembly.Module {
  const url = new URL("../../dist/core.wasm", import.meta.url);
  return compiled ??= new WebAssembly.Module(readFileSync(url));
}

/** What a session printed, and the TCP segments on its cable without addresses' hosts. */
function session(lines: string, mslMs?: number): { printed: string[]; segments: string[] } {
  const printed: string[] = [];
  const segments: string[] = [];
  const sandbox = new Sandbox({
    module: coreModule(),
    print: (line) => printed.push(line),
    onFrame: (_timeMs, frame) => {
      const text = decodeFrame(frame);
      if (text.includes(" > ") && !text.startsWith("ARP")) segments.push(text);
    },
    ...(mslMs === undefined ? {} : { mslMs }),
  });
  for (const line of lines.trim().split("\n")) sandbox.line(line);
  return { printed, segments };
}

describe("S82: sock", () => {
  test("a server says who is connected, and both print what the other typed", () => {
    const { printed } = session(`
sun % sock -v -s 6666
bsdi % sock -v -b1081 sun 6666
bsdi < hello, world
sun < and hi there
bsdi ^D
`);
    const at = (host: string): string[] => printed.filter((line) => line.startsWith(host));
    expect(at("bsdi")).toEqual([
      "bsdi: connected on 140.252.13.35.1081 to 140.252.13.33.6666",
      "bsdi: TCP_MAXSEG = 1448",
      "bsdi: and hi there",
    ]);
    expect(at("sun")).toEqual([
      "sun: connection on 140.252.13.33.6666 from 140.252.13.35.1081",
      "sun: TCP_MAXSEG = 1448",
      "sun: hello, world",
      "sun: connection closed by peer",
    ]);
  });

  test("S37: a server is refused its port while its old connection rests, and -A gets it", () => {
    const { printed } = session(`
sun % sock -v -s 6666
bsdi % sock -b1081 sun 6666
sun ^C
sun % sock -s 6666
sun % netstat
sun % sock -A -s 6666
bsdi % sock -v -b1098 sun 6666
`);
    expect(printed).toContain("sun: can't bind local address: Address already in use");
    const row = printed.find((line) => line.includes("TIME_WAIT"));
    expect(row?.replace(/\s+/g, " ")).toBe(
      "sun: tcp 0 0 140.252.13.33.6666 140.252.13.35.1081 TIME_WAIT",
    );
    expect(printed).toContain("bsdi: connected on 140.252.13.35.1098 to 140.252.13.33.6666");
  });

  test("S37: the time that the port is refused is 2 MSL: 1 minute of 30 s, 4 minutes of 2 min", () => {
    for (const [mslMs, restS] of [[30_000, 60], [120_000, 240]] as const) {
      const opening = `
sun % sock -v -s 6666
bsdi % sock -b1081 sun 6666
sun ^C
`;
      const early = session(`${opening}wait ${restS - 2}\nsun % sock -s 6666`, mslMs);
      expect(early.printed).toContain("sun: can't bind local address: Address already in use");
      const late = session(`${opening}wait ${restS + 1}\nsun % sock -s 6666`, mslMs);
      expect(late.printed).not.toContain("sun: can't bind local address: Address already in use");
    }
  });

  test("S37: a client can not bind the port of a resting connection; with -A the same pair is refused all the same", () => {
    const { printed } = session(`
sun % sock -v -s 6666
bsdi % sock -b1098 sun 6666
sun ^C
sun % sock -b6666 bsdi 1098
sun % sock -A -b6666 bsdi 1098
`);
    expect(printed.slice(-2)).toEqual([
      "sun: can't bind local address: Address already in use",
      "sun: active open error: Address already in use",
    ]);
  });

  test("S38: the other end may open the resting connection again", () => {
    const { printed } = session(`
sun % sock -v -s 6666
bsdi % sock -b1098 sun 6666
sun ^C
sun % sock -A -s 6666
bsdi % sock -v -b1098 sun 6666
`);
    expect(printed).toContain("bsdi: connected on 140.252.13.35.1098 to 140.252.13.33.6666");
  });

  test("S37: the echo server's client binds its port in vain", () => {
    const { printed } = session(`
sun % sock -v -b1162 bsdi echo
sun < hello there
sun ^D
sun % sock -b1162 bsdi echo
`);
    expect(printed).toEqual([
      "sun: connected on 140.252.13.33.1162 to 140.252.13.35.7",
      "sun: TCP_MAXSEG = 1448",
      "sun: hello there",
      "sun: can't bind local address: Address already in use",
    ]);
  });

  test("S36: the daytime server closes first, so its client may use the port again at once", () => {
    const { printed } = session(`
sun % sock -v -b1163 bsdi daytime
sun % sock -v -b1163 bsdi daytime
`);
    const one = [
      "sun: connected on 140.252.13.33.1163 to 140.252.13.35.13",
      "sun: TCP_MAXSEG = 1448",
      "sun: Wed Jul  7 07:54:51 1993",
      "sun: connection closed by peer",
    ];
    expect(printed).toEqual([...one, ...one]);
  });

  test("S40: -L0 ends by a reset, and the server's read fails", () => {
    const { printed, segments } = session(`
svr4 % sock -s 8888
bsdi % sock -L0 -b1099 svr4 8888
bsdi < hello, world
wait 4
bsdi ^D
`);
    expect(printed).toEqual([
      "svr4: hello, world",
      "svr4: read error: Connection reset by peer",
    ]);
    expect(segments.filter((line) => line.includes(" F"))).toEqual([]);
    expect(segments.at(-1)).toMatch(/140\.252\.13\.35:1099 > 140\.252\.13\.34:8888 R/);
  });

  test("S07: a port where nobody listens refuses at once", () => {
    const { printed } = session("bsdi % sock svr4 20000");
    expect(printed).toEqual(["bsdi: active open error: Connection refused"]);
  });

  test("S02: both open at once and have one connection", () => {
    const printed: string[] = [];
    const sandbox = new Sandbox({ module: coreModule(), print: (line) => printed.push(line) });
    // Frames take 4 ms here; the second is typed before the first has arrived.
    sandbox.together([
      "bsdi % sock -v -b8888 vangogh.cs.berkeley.edu 7777",
      "vangogh % sock -v -b7777 bsdi.tuc.noao.edu 8888",
    ]);
    for (const line of ["bsdi < hello, world", "vangogh < and hi there", "vangogh ^D"]) {
      sandbox.line(line);
    }
    expect(printed.sort()).toEqual([
      "bsdi: TCP_MAXSEG = 1448",
      "bsdi: and hi there",
      "bsdi: connected on 140.252.13.35.8888 to 128.32.130.2.7777",
      "bsdi: connection closed by peer",
      "vangogh: TCP_MAXSEG = 1448",
      "vangogh: connected on 128.32.130.2.7777 to 140.252.13.35.8888",
      "vangogh: hello, world",
    ]);
  });

  test("S21: a host that crashed resets what it does not know", () => {
    const { printed } = session(`
bsdi % sock svr4 discard
bsdi < hi there
crash svr4
boot svr4
bsdi < another line
`);
    expect(printed).toEqual(["bsdi: read error: Connection reset by peer"]);
  });

  test("S32: -h closes one direction alone: the server sees the end, answers, and closes", () => {
    const { printed } = session(`
sun % sock -v -s 6666
bsdi % sock -v -h -b1200 sun 6666
bsdi < sort this
bsdi ^D
bsdi % netstat
`);
    expect(printed).toContain("sun: connection closed by peer");
    expect(printed).toContain("bsdi: connection closed by peer");
  });

  test("S73: with -q1 and -O30 two clients wait, the others' SYNs are ignored until there is room", () => {
    const { printed, segments } = session(`
bsdi % sock -s -v -q1 -O30 5555
sun % sock -b1090 bsdi 5555
wait 4
sun % sock -b1091 bsdi 5555
wait 3
bsdi % netstat
`);
    const answers = segments.filter((line) => line.includes(":5555 >") && line.includes("S."));
    expect(answers).toHaveLength(1);
    expect(segments.some((line) => line.includes(" R"))).toBe(false);
    expect(
      printed.some((line) =>
        /140\.252\.13\.35\.5555 +140\.252\.13\.33\.1090 +ESTABLISHED/.test(line)
      ),
    ).toBe(true);
  });

  test("S72: a server on one address refuses what comes to another, and netstat shows wildcards as stars", () => {
    const { printed } = session(`
sun % sock -s 140.252.13.33 8888
bsdi % sock -b1200 sun 8888
sun % sock -s 7777
sun % netstat
`);
    const rows = printed.filter((line) => line.startsWith("sun: tcp")).map((line) =>
      line.replace(/\s+/g, " ")
    );
    expect(rows).toContain("sun: tcp 0 0 140.252.13.33.8888 140.252.13.35.1200 ESTABLISHED");
    expect(rows).toContain("sun: tcp 0 0 140.252.13.33.8888 *.* LISTEN");
    expect(rows).toContain("sun: tcp 0 0 *.7777 *.* LISTEN");
    expect(rows).toContain("sun: tcp 0 0 *.7 *.* LISTEN");
  });

  test("says what it can not do", () => {
    const say = (line: string): () => unknown => () => session(line);
    expect(say("hello")).toThrow('Cannot do "hello": expected HOST % COMMAND');
    expect(say("mars % sock -s 1")).toThrow('There is no host "mars"');
    expect(say("sun % ls")).toThrow('There is no command "ls"');
    expect(say("sun < text")).toThrow("Nothing runs at sun");
    expect(say("crash sun\nsun % netstat")).toThrow("sun is down");
    expect(session("sun % sock").printed[0]).toMatch(/^sun: usage: sock/);
    expect(session("sun % sock -b x bsdi 1").printed[0]).toBe(
      'sun: Cannot use "x" for -b: expected a number of 0 to 65535',
    );
  });
});
