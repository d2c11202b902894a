import { describe, expect, test } from "vitest";
import { SyntaxFault, Unsupported } from "../../src/packetdrill/fault.ts";
import { parseScript } from "../../src/packetdrill/parser.ts";
import type { Action, Call, Code, Packet, TcpPacket } from "../../src/packetdrill/syntax.ts";

function parse(text: string, defines: Record<string, string> = {}) {
  return parseScript(text, { file: "a.pkt", defines: new Map(Object.entries(defines)) });
}

/** The only action of a script that has one event. */
function action(text: string, defines?: Record<string, string>): Action {
  const [event] = parse(`0 ${text}`, defines).events;
  if (event === undefined) throw new Error("unreachable: a script has an event");
  return event.action;
}

function tcp(text: string): TcpPacket {
  const packet = action(text) as Packet;
  expect(packet).toMatchObject({ kind: "packet", protocol: "tcp" });
  return packet as TcpPacket;
}

function call(text: string): Call {
  return action(text) as Call;
}

describe("a script", () => {
  test("has options, outer commands and events, each with its line", () => {
    const script = parse(
      '--ip_version=ipv4\n--local_ip=192.168.0.1 --dry-run\n--so_filename="a b"\n' +
        "`init.sh`\n 0 `first`\n+0.1 `second`\n `last.sh`\n",
    );
    expect(script.options).toEqual([
      { line: 1, name: "ip_version", value: "ipv4" },
      { line: 2, name: "local_ip", value: "192.168.0.1" },
      { line: 2, name: "dry_run", value: null },
      { line: 3, name: "so_filename", value: "a b" },
    ]);
    expect(script.init).toEqual({ kind: "command", line: 4, text: "init.sh" });
    expect(script.events.map(({ line }) => line)).toEqual([5, 6]);
    expect(script.cleanup).toEqual({ kind: "command", line: 7, text: "last.sh" });
  });

  test("defines words by its own options, under those of the caller", () => {
    const text = '--define=LEVEL=SOL_IP\n--define=CC="reno"\n0 f(LEVEL, CC) = 0';
    const args = (defines?: Record<string, string>) => {
      const action = parse(text, defines).events[0]?.action;
      return action?.kind === "call" ? action.args : [];
    };
    const reno = { kind: "string", bytes: new TextEncoder().encode("reno") };
    expect(args()).toEqual([{ kind: "word", name: "SOL_IP" }, reno]);
    expect(args({ LEVEL: "SOL_IPV6" })).toEqual([{ kind: "word", name: "SOL_IPV6" }, reno]);
  });

  test("has no need of outer commands", () => {
    expect(parse("0 `a`")).toMatchObject({ init: null, cleanup: null, options: [] });
  });

  test.each<[string, object]>([
    ["0.310", { kind: "absolute", atMs: 310 }],
    ["+0.1", { kind: "relative", afterMs: 100 }],
    ["+.000001", { kind: "relative", afterMs: 0.001 }],
    ["*", { kind: "any" }],
    ["0.2~0.4", { kind: "absoluteWindow", fromMs: 200, toMs: 400 }],
    ["+0.2~+0.4", { kind: "relativeWindow", fromMs: 200, toMs: 400 }],
  ])("the time %s", (time, spec) => {
    expect(parse(`0 \`a\`\n${time} > . 1:1(0) ack 1`).events[1]?.time).toEqual(spec);
  });

  test.each<[string, object]>([
    ["0.1...0.5", { kind: "absoluteBlocking", fromMs: 100, toMs: 500 }],
    ["+0...0.5", { kind: "relativeBlocking", fromMs: 0, toMs: 500 }],
    ["+0...+0.5", { kind: "relativeBlocking", fromMs: 0, toMs: 500 }],
  ])("the time of a blocking call %s", (time, spec) => {
    expect(parse(`0 \`a\`\n${time} connect(3, ..., ...) = 0`).events[1]?.time).toEqual(spec);
  });

  test("code keeps its lines and loses what indents all of them", () => {
    const code = (text: string) => action(text) as Code;
    expect(code("%{ a = 1 }%")).toEqual({ kind: "code", line: 1, text: "a = 1" });
    expect(code("%{\n  if a:\n    b = 2\n\n  c = 3\n}%").text).toBe("if a:\n  b = 2\n\nc = 3");
    expect(code("%{\n  if a:\n }%").line).toBe(2);
    expect(code("%{ a = 1\nb = 2 }%").text).toBe("a = 1\nb = 2");
  });
});

describe("a TCP packet", () => {
  test("with all its parts", () => {
    expect(
      tcp("< [ect0] 80 > 8080 P. 1:1001(1000) ack 1 win 257 urg 5 <nop,nop,TS val 1 ecr 2>"),
    ).toEqual({
      kind: "packet",
      line: 1,
      direction: "in",
      ip: { ecn: "ect0", tos: null, ttl: null, flowLabel: null },
      ports: { source: 80, destination: 8080 },
      protocol: "tcp",
      flags: "P.",
      flagBits: 0x18,
      ace: null,
      seq: 1,
      end: 1001,
      length: 1000,
      ack: 1,
      win: 257,
      urg: 5,
      options: [{ kind: "nop" }, { kind: "nop" }, { kind: "TS", val: 1, ecr: 2 }],
    });
  });

  test("with nothing that may be left out", () => {
    expect(tcp("> . 1:1(0)")).toMatchObject({
      ports: null,
      ack: 0,
      win: null,
      urg: 0,
      options: [],
    });
  });

  test.each<[string, string, number, number | null]>([
    ["S", "S", 0x02, null],
    ["S.", "S.", 0x12, null],
    ["FRPU.", "FRPU.", 0x3d, null],
    ["SEW", "SEW", 0xc2, null],
    ["SEWA", "SEWA", 0x1c2, null],
    ["-", "-", 0, null],
    [".5", ".", 0x150, 5],
    ["P.3", "P.", 0xd8, 3],
    ["S.0", "S.", 0x12, 0],
    ["5.", ".", 0x150, 5],
    ["F2.", "F.", 0x91, 2],
  ])("the flags %s", (text, flags, flagBits, ace) => {
    expect(tcp(`> ${text} 0:0(0)`)).toMatchObject({ flags, flagBits, ace });
  });

  test.each<[string, object]>([
    ["[ce]", { ecn: "ce" }],
    ["[ect01]", { ecn: "ect01" }],
    ["(ttl 3)", { ttl: 3 }],
    ["[tos 0x28, flowlabel 0x12345]", { tos: 0x28, flowLabel: 0x12345 }],
    ["[noecn,ttl 255]", { ecn: "noecn", ttl: 255 }],
  ])("the IP header %s", (text, ip) => {
    expect(tcp(`> ${text} . 1:1(0) ack 1`).ip).toMatchObject(ip);
  });

  test.each<[string, object[]]>([
    ["<>", []],
    ["<mss 1460>", [{ kind: "mss", value: 1460 }]],
    ["<sackOK,eol,nop>", [{ kind: "sackOK" }, { kind: "eol" }, { kind: "nop" }]],
    ["<nop,wscale 14>", [{ kind: "nop" }, { kind: "wscale", value: 14 }]],
    ["<nop,nop,sack 1:2 4294967295:5>", [{ kind: "nop" }, { kind: "nop" }, {
      kind: "sack",
      blocks: [{ start: 1, end: 2 }, { start: 0xffff_ffff, end: 5 }],
    }]],
    ["<FO,nop,nop>", [{ kind: "FO", cookie: new Uint8Array(0) }, { kind: "nop" }, { kind: "nop" }]],
    ["<FOEXP 12345678>", [{ kind: "FOEXP", cookie: Uint8Array.of(0x12, 0x34, 0x56, 0x78) }]],
    ["<nop,ECN e0b 1 ceb 2 e1b 3>", [{ kind: "nop" }, {
      kind: "accEcn",
      order: 0,
      fields: [1, 2, 3],
    }]],
    ["<ECN e1b 1 ceb 2>", [{ kind: "accEcn", order: 1, fields: [1, 2] }]],
  ])("the options %s", (text, options) => {
    expect(tcp(`> . 1:1(0) ack 1 ${text}`).options).toEqual(options);
  });

  test("the options <...> are not checked", () => {
    expect(tcp("> . 1:1(0) ack 1 <...>").options).toBe("any");
  });

  test("a timestamp of an expected packet may be left open", () => {
    expect(tcp("> . 1:1(0) <nop,nop,TS val ... ecr 7>").options.at(-1)).toEqual({
      kind: "TS",
      val: 0,
      ecr: 7,
      isValAny: true,
    });
    expect(() => tcp("< . 1:1(0) win 1 <nop,nop,TS val 1 ecr ...>")).toThrow('got "..."');
  });

  test("a cookie from a definition", () => {
    const packet = action("> S 0:0(0) <FO COOKIE>", { COOKIE: "0fab" });
    expect(packet).toMatchObject({ options: [{ kind: "FO", cookie: Uint8Array.of(0x0f, 0xab) }] });
  });

  test("sequence numbers wrap", () => {
    expect(tcp("> . 4294967295:9(10) ack 1")).toMatchObject({ seq: 0xffff_ffff, end: 9 });
  });
});

describe("other packets", () => {
  test.each<[string, object]>([
    ["< udp (10)", { protocol: "udp", direction: "in", length: 10, ports: null }],
    ["> udp 53 > 1024 (0)", { length: 0, ports: { source: 53, destination: 1024 } }],
    ["> 53 > 1024 udp (0)", { length: 0, ports: { source: 53, destination: 1024 } }],
  ])("%s", (text, packet) => {
    expect(action(text)).toMatchObject(packet);
  });

  test.each<[string, object]>([
    ["< icmp unreachable frag_needed mtu 1300 [1:1461(1460)]", {
      type: "unreachable",
      code: "frag_needed",
      mtu: 1300,
      id: null,
      quoted: { kind: "tcp", seq: 1, length: 1460 },
    }],
    ["< icmp echo_request id 7", { type: "echo_request", code: null, id: 7, quoted: null }],
    ["< icmp time_exceeded exceeded_in_transit [1]", {
      quoted: { kind: "tcp", seq: 1, length: 0 },
    }],
    ["> icmp unreachable port_unreachable [udp (10)]", { quoted: { kind: "udp", length: 10 } }],
    ["< icmp 3 4 mtu 576 [raw (8)]", { type: "3", code: "4", quoted: { kind: "raw", length: 8 } }],
    ["< [ttl 1] icmp packet_too_big mtu 1280 [1:2(1)]", { ip: { ttl: 1 }, mtu: 1280 }],
  ])("%s", (text, packet) => {
    expect(action(text)).toMatchObject({ protocol: "icmp", ...packet });
  });

  test("an ICMP type without a code does not take the time of the next event", () => {
    const { events } = parse("0 `a`\n1 > icmp echo_reply\n2 `b`");
    expect(events.map(({ action }) => action.kind)).toEqual(["command", "packet", "command"]);
  });
});

describe("a system call", () => {
  test("with result, error and note", () => {
    expect(call("read(4, ..., 1000) = -1 EAGAIN (it's (not) there yet)")).toEqual({
      kind: "call",
      line: 1,
      name: "read",
      args: [{ kind: "integer", value: 4n }, { kind: "any" }, { kind: "integer", value: 1000n }],
      result: { kind: "integer", value: -1n },
      errno: "EAGAIN",
      note: "it's (not) there yet",
    });
  });

  test.each<[string, object]>([
    ["f() = ...", { args: [], result: { kind: "any" }, errno: null }],
    ["f()", { result: null }],
    ["f() = 0x802 (flags A|B)", { result: { value: 0x802n }, note: "flags A|B" }],
    ["f() = O_RDWR|O_NONBLOCK", { result: { kind: "or" } }],
    ["f() = -1 [ECONNREFUSED]", { errno: "ECONNREFUSED" }],
  ])("the result of %s", (text, expected) => {
    expect(call(text)).toMatchObject(expected);
  });

  const integer = (value: number) => ({ kind: "integer", value: BigInt(value) });
  const field = (name: string | null, value: object) => ({ name, index: null, value });
  const any = { kind: "any" };

  test.each<[string, object]>([
    ["-7", integer(-7)],
    ["-0.5", { kind: "float", value: -0.5 }],
    ["0xffffffffffffffff", { kind: "integer", value: 0xffff_ffff_ffff_ffffn }],
    ['"a" "\\n"', { kind: "string", bytes: Uint8Array.of(97, 10) }],
    ['"a"...', { kind: "string", bytes: Uint8Array.of(97) }],
    ["a = 1", { kind: "struct", fields: [field("a", integer(1))] }],
    ["A|B", { kind: "or", parts: [{ kind: "word", name: "A" }, { kind: "word", name: "B" }] }],
    ["~A", { kind: "not", part: { kind: "word", name: "A" } }],
    ["[]", { kind: "list", items: [] }],
    ["[1, 2]", { kind: "list", items: [integer(1), integer(2)] }],
    ["htons(80)", { kind: "apply", name: "htons", args: [integer(80)] }],
    ["{}", { kind: "struct", fields: [] }],
    ["[{..., 10}]", {
      kind: "list",
      items: [{ kind: "struct", fields: [field(null, any), field(null, integer(10))] }],
    }],
    ["{onoff=1, linger=0}", {
      kind: "struct",
      fields: [field("onoff", integer(1)), field("linger", integer(0))],
    }],
    ['{sin_addr = inet_addr("1.2.3.4")}', {
      kind: "struct",
      fields: [
        field("sin_addr", {
          kind: "apply",
          name: "inet_addr",
          args: [{ kind: "string", bytes: new TextEncoder().encode("1.2.3.4") }],
        }),
      ],
    }],
    ["{msg_name(...)=..., msg_iov(1)=[{..., 9}], htons(1)}", {
      kind: "struct",
      fields: [
        { name: "msg_name", index: any, value: any },
        { name: "msg_iov", index: integer(1), value: { kind: "list" } },
        field(null, { kind: "apply", name: "htons" }),
      ],
    }],
  ])("the argument %s", (text, expr) => {
    expect(call(`f(${text}) = 0`).args[0]).toMatchObject(expr);
  });

  test("a definition may be a whole argument", () => {
    expect(action("f(LEVEL) = 0", { LEVEL: "SOL_IP" })).toMatchObject({
      args: [{ kind: "word", name: "SOL_IP" }],
    });
  });
});

describe("what is no script", () => {
  test.each([
    ["", "a.pkt:1: Cannot parse the script: expected an event, got the end of the script"],
    ["0.5 `a`", "a.pkt:1: Cannot parse the first event: it must be at time 0"],
    ["+1 `a`", "a.pkt:1: Cannot parse the first event: it must be at time 0"],
    ["0 `a`\n2 `b`\n1 `c`", "a.pkt:3: Cannot parse the time: it comes before that of the event"],
    ["0 `a`\n`b`\n`c`", "a.pkt:3: Cannot parse the script: expected its end"],
    ["socket() = 3", "a.pkt:1: Cannot parse an event: expected a time such as 0.1, +0.1 or *, got"],
    ["0 123", 'expected a packet, a system call, a `command` or %{ code }%, got "123"'],
    ["0.5~0.1 > . 1:1(0)", "Cannot parse the time window: its end comes before its beginning"],
    ["0~+1 > . 1:1(0)", 'Cannot parse the time window: expected an absolute time, got "+"'],
    ["+0~1 > . 1:1(0)", 'Cannot parse the time window: expected "+", got "1"'],
    ["0...1 `a`", "Cannot parse the time: only system calls can block"],
    ["* < . 1:1(0) win 9", "Cannot parse the time: an injected packet needs one exact time"],
    ["0 < . 1:1(0) ack 1", "expected the window (win N) of an injected packet"],
    ["0 > X. 1:1(0)", 'expected flags such as "S.", "." or "-", got "X."'],
    ["0 > SS 1:1(0)", 'Cannot parse the flags: "S" stands there twice'],
    ["0 > . 1:12(10)", "Cannot parse the sequence range: 1 and 10 bytes end at 11, got 12"],
    ["0 > . 1:1", 'Cannot parse the sequence range: expected "(", got the end of the script'],
    ["0 > . 1:1(0) win 65536", 'Cannot parse win: expected a number from 0 to 65535, got "65536"'],
    ["0 > . 1:1(0) <wscale 7>", "they take 3 bytes, which is no multiple of 4: add nop"],
    [`0 > . 1:1(0) <${Array(11).fill("mss 1").join(",")}>`, "they take 44 bytes, at most 40 fit"],
    ["0 > . 1:1(0) <foo 1>", "Cannot parse the TCP options: expected mss, wscale, sackOK"],
    ["0 > . 1:1(0) <mss 1 nop>", 'Cannot parse the TCP options: expected "," or ">", got "nop"'],
    ["0 > . 1:1(0) <TS val 1>", 'Cannot parse TS: expected "ecr", got ">"'],
    ["0 > S 0:0(0) <FO 123>", "Cannot parse FO: expected an even number of hex digits"],
    ["0 < . 1:1(0) win 1 <...>", "expected the options of an injected packet, got <...>"],
    ["0 < [ect01] . 1:1(0) win 1", "expected one ECN codepoint of an injected packet"],
    ["0 > [ttl 256] . 1:1(0)", "Cannot parse ttl: expected a number from 0 to 255"],
    ["0 > [hops 1] . 1:1(0)", "Cannot parse the IP header: expected noecn, ect0"],
    ["0 f(1", 'Cannot parse the call f(): expected "," or ")", got the end of the script'],
    ["0 f(,)", 'Cannot parse the call f(): expected an argument, got ","'],
    ["0 f() = (x)", 'Cannot parse the result of f(): expected a number or "...", got "("'],
    ["0 f({a=}) = 0", 'Cannot parse the field a: expected an argument, got "}"'],
    ["0 f() = 0 (note", 'Cannot parse the note: expected ")", got the end of the script'],
    ["0 > icmp [1]", 'Cannot parse the ICMP message: expected a type such as "unreachable"'],
    ["0 > icmp unreachable [x]", "expected a sequence number, udp (N) or raw (N)"],
    ["--mtu= 0 `a`", "Cannot parse --mtu: expected a value behind ="],
  ])("%j", (text, message) => {
    expect(() => parse(text)).toThrow(SyntaxFault);
    expect(() => parse(text)).toThrow(message);
  });
});

describe("what is a script of somebody else", () => {
  test.each([
    ["0 `a`\n1 > ipv4 1.2.3.4 > 5.6.7.8: . 1:1(0)", 2, 'a packet that begins with "ipv4": no tunn'],
    ["0 < [ce] ipv6 ::1 > ::2: . 1:1(0) win 1", 1, "no tunnels"],
    ["0 > gre flags 0: . 1:1(0)", 1, "no tunnels"],
    ["0 > sctp: INIT[]", 1, "no SCTP"],
    ["0 > icmp unreachable [sctp(1)]", 1, "no SCTP"],
    ["0 > S 0:0(0) <nop,nop,nop,nop> { mut tcp mss }", 1, "no mutations"],
    ["0 > S 0:0(0) <md5 00>", 1, "the TCP option md5: no TCP MD5"],
    ["0 > S 0:0(0) <mp_capable a>", 1, "no MPTCP"],
    ["0 sctp_bindx(3) = 0", 1, "the call sctp_bindx(): no SCTP"],
    ["0 io_uring_setup(3) = 0", 1, "no io_uring"],
    ["--wire_client\n0 `a`", 1, "--wire_client: the stack runs in this process"],
    ["--udp_encapsulation=tcp\n0 `a`", 1, "no encapsulation in UDP"],
  ])("%j", (text, line, message) => {
    const run = () => parse(text);
    expect(run).toThrow(Unsupported);
    expect(run).toThrow(`a.pkt:${line}: Unsupported: `);
    expect(run).toThrow(message);
  });
});
