/**
 * What a packetdrill script says, as data. The parser makes it, the runner walks it, and nobody changes it.
 *
 * Sequence numbers are the script's own: plain u32 numbers, with the meaning of the language's section on relative
 * numbers. Times are milliseconds, rounded to whole microseconds, because that is what the virtual clock counts.
 */

/** A whole script. */
export interface Script {
  /** As given to the parser; every message begins with it. */
  readonly file: string;
  /** `--name=value` lines before the first event, in their order. */
  readonly options: readonly ScriptOption[];
  /** The command without a time before the first event. */
  readonly init: Command | null;
  /** What happens, in the order of the text. Never empty. */
  readonly events: readonly ScriptEvent[];
  /** The command without a time after the last event. It runs even if the script failed. */
  readonly cleanup: Command | null;
}

/** One `--name=value` line. */
export interface ScriptOption {
  readonly line: number;
  /** Without the hyphens, as written: `ip_version`, `tolerance_usecs`. */
  readonly name: string;
  /** Null if there is no `=`. */
  readonly value: string | null;
}

/** A time and what happens then. */
export interface ScriptEvent {
  /** Line where the event's time begins, from 1. */
  readonly line: number;
  readonly time: TimeSpec;
  readonly action: Action;
}

/** When an event happens. */
export type TimeSpec =
  /** `0.310`: since the first event. */
  | { readonly kind: "absolute"; readonly atMs: number }
  /** `+0.1`: since the event before. */
  | { readonly kind: "relative"; readonly afterMs: number }
  /** `*`: not checked. */
  | { readonly kind: "any" }
  /** `0.2~0.4`. */
  | { readonly kind: "absoluteWindow"; readonly fromMs: number; readonly toMs: number }
  /** `+0.2~+0.4`; both ends count from the event before. */
  | { readonly kind: "relativeWindow"; readonly fromMs: number; readonly toMs: number }
  /** `0...0.5 call(...)`: begins at `fromMs` and returns at `toMs`, both since the first event. */
  | { readonly kind: "absoluteBlocking"; readonly fromMs: number; readonly toMs: number }
  /** `+0...0.5 call(...)`: as above, both since the event before. */
  | { readonly kind: "relativeBlocking"; readonly fromMs: number; readonly toMs: number };

/** What an event does. */
export type Action = Packet | Call | Command | Code;

/** `` `sysctl -q net.ipv4.tcp_ecn=2` ``. */
export interface Command {
  readonly kind: "command";
  readonly line: number;
  /** Without the backticks and the blanks around it. */
  readonly text: string;
}

/** `%{ assert tcpi_cwnd == 10 }%`. */
export interface Code {
  readonly kind: "code";
  /** Line of the first character of `text`. */
  readonly line: number;
  /** Between the braces; blank lines at its ends and common indentation are gone. */
  readonly text: string;
}

// ---- packets -------------------------------------------------------------------------------------------------------

/** A packet that is injected, or that is expected. */
export type Packet = TcpPacket | UdpPacket | IcmpPacket;

/** `<` goes into the stack, `>` is expected from it. */
export type Direction = "in" | "out";

/** What all packets have. */
export interface PacketHead {
  readonly kind: "packet";
  readonly line: number;
  readonly direction: Direction;
  readonly ip: IpInfo;
  /** `sport > dport`; null = those of the socket under test. */
  readonly ports: Ports | null;
}

/** Ports written in the script. */
export interface Ports {
  readonly source: number;
  readonly destination: number;
}

/** ECN codepoints of RFC 3168 section 5; `ect01` is either ECT, outbound only. */
export type Ecn = "noecn" | "ect0" | "ect1" | "ce" | "ect01";

/** `[ect0]`, `[tos 0x28, ttl 64]`. What is null is 0 (or the default) inbound and not checked outbound. */
export interface IpInfo {
  readonly ecn: Ecn | null;
  /** The whole byte, ECN bits included. */
  readonly tos: number | null;
  readonly ttl: number | null;
  /** IPv6 flow label, 20 bits. */
  readonly flowLabel: number | null;
}

/** `S. 0:0(0) ack 1 win 65535 <mss 1460>`. */
export interface TcpPacket extends PacketHead {
  readonly protocol: "tcp";
  /** Letters as written, without the ACE digit, which may stand anywhere: `S.`, `FP.`, `-` for none. */
  readonly flags: string;
  /** The same as the low 9 bits of the header's 13th and 14th byte; an ACE digit sets AE, CWR and ECE. */
  readonly flagBits: number;
  /** Count of CE marks in AE, CWR and ECE, 0 to 7 (RFC 9768); null if the script has no digit. */
  readonly ace: number | null;
  readonly seq: number;
  /** `seq + length`, SYN and FIN not counted. */
  readonly end: number;
  /** Bytes of payload, all of them zero. */
  readonly length: number;
  /** 0 if absent. */
  readonly ack: number;
  /** The field as it is on the wire, not scaled; null = not checked (outbound only). */
  readonly win: number | null;
  /** 0 if absent. */
  readonly urg: number;
  /** In wire order; `[]` = the header must have none; `"any"` is `<...>` = not checked (outbound only). */
  readonly options: readonly TcpOption[] | "any";
}

/** Options by their names in scripts. */
export type TcpOption =
  | { readonly kind: "nop" }
  | { readonly kind: "eol" }
  | { readonly kind: "mss"; readonly value: number }
  | { readonly kind: "wscale"; readonly value: number }
  | { readonly kind: "sackOK" }
  | { readonly kind: "sack"; readonly blocks: readonly SackBlock[] }
  | {
    readonly kind: "TS";
    /** 0 if the script has `...`, as it may for an expected packet. */
    readonly val: number;
    readonly ecr: number;
    readonly isValAny?: true;
    readonly isEcrAny?: true;
  }
  /** Fast Open, kind 34; empty = a request. */
  | { readonly kind: "FO"; readonly cookie: Uint8Array }
  /** Fast Open, kind 254 with the magic number F989. */
  | { readonly kind: "FOEXP"; readonly cookie: Uint8Array }
  /** AccECN, kind 172 (e0b first) or 174 (e1b first); fields in the order written. */
  | { readonly kind: "accEcn"; readonly order: 0 | 1; readonly fields: readonly number[] };

/** `start:end`, script numbers. */
export interface SackBlock {
  readonly start: number;
  readonly end: number;
}

/** `udp (100)`. */
export interface UdpPacket extends PacketHead {
  readonly protocol: "udp";
  /** Bytes of payload, all of them zero. */
  readonly length: number;
}

/** `icmp unreachable frag_needed mtu 1300 [1:1461(1460)]`. */
export interface IcmpPacket extends PacketHead {
  readonly protocol: "icmp";
  /** As written: `unreachable`, `echo_request`, `packet_too_big`; a number if the script has one. */
  readonly type: string;
  /** As written, or null. The runner numbers it for IPv4 or IPv6 with `icmpNumbers()` of `constants.ts`. */
  readonly code: string | null;
  readonly mtu: number | null;
  readonly id: number | null;
  /** What the error quotes; null = nothing is written. */
  readonly quoted: QuotedPacket | null;
}

/** What stands in the brackets behind an ICMP error. */
export type QuotedPacket =
  /** `[1:1461(1460)]`, or `[1]` with a length of 0. */
  | { readonly kind: "tcp"; readonly seq: number; readonly length: number }
  | { readonly kind: "udp"; readonly length: number }
  | { readonly kind: "raw"; readonly length: number };

// ---- system calls --------------------------------------------------------------------------------------------------

/** `socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`. */
export interface Call {
  readonly kind: "call";
  readonly line: number;
  readonly name: string;
  readonly args: readonly Expr[];
  /** Null if there is no `=`; `{ kind: "any" }` is `= ...`. */
  readonly result: Expr | null;
  /** `EAGAIN` of `= -1 EAGAIN (Resource temporarily unavailable)`; null if there is none. */
  readonly errno: string | null;
  /** The comment in parentheses. */
  readonly note: string | null;
}

/** An argument, or a part of one. `constants.ts` numbers its words. */
export type Expr =
  | { readonly kind: "integer"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  /** Bytes after C escapes; may hold zeros. */
  | { readonly kind: "string"; readonly bytes: Uint8Array }
  | { readonly kind: "word"; readonly name: string }
  /** `...`: fill in, or do not compare. */
  | { readonly kind: "any" }
  /** `O_RDWR|O_NONBLOCK`; two parts or more. */
  | { readonly kind: "or"; readonly parts: readonly Expr[] }
  /** `~FD_CLOEXEC`. */
  | { readonly kind: "not"; readonly part: Expr }
  /** `[1]`, `[{..., 1000}, {..., 2000}]`: a pointer to one value, or an array. */
  | { readonly kind: "list"; readonly items: readonly Expr[] }
  /** `{sa_family = AF_INET, sin_port = htons(8080)}`, `{..., 1000}`. */
  | { readonly kind: "struct"; readonly fields: readonly StructField[] }
  /** `htons(8080)`, `inet_addr("192.0.2.1")`, `inet6_addr("::1")`. */
  | { readonly kind: "apply"; readonly name: string; readonly args: readonly Expr[] };

/** One field of a struct. */
export interface StructField {
  /** `sin_port`, `msg_iov`; null for a value without a name, as in `{..., 1000}`. */
  readonly name: string | null;
  /** The argument of `msg_iov(1)=` and `msg_name(...)=`; null if there are no parentheses. */
  readonly index: Expr | null;
  readonly value: Expr;
}
