/** Segments and times as a trace shows them, in the notation of scripts. */
import type { PacketSpec, TcpOption } from "./syntax.ts";
import { FLAG_ACK, FLAG_LETTERS, FLAG_URG } from "./wire.ts";

const MS_PER_S = 1000;

/** A segment with relative numbers; what is null is not known or not checked. */
export interface Shown {
  readonly flags: number;
  readonly seq: number;
  readonly bytes: number;
  readonly ack: number;
  readonly win: number | null;
  readonly urg: number;
  readonly options: readonly TcpOption[] | null;
}

/** @param ms Since the world was made. @returns Seconds with six digits, as tcpdump prints them. */
export function formatTime(ms: number): string {
  return (ms / MS_PER_S).toFixed(6);
}

/** @param flags FLAG_… bits. @returns Letters, or a hyphen. */
export function formatFlags(flags: number): string {
  const letters = FLAG_LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return letters.length === 0 ? "-" : letters.join("");
}

function hex(data: Uint8Array): string {
  return `"${Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}

/** One option, as a script writes it. */
export function formatOption(option: TcpOption): string {
  switch (option.kind) {
    case "mss":
    case "wscale":
      return `${option.kind} ${option.value}`;
    case "sack":
      return ["sack", ...option.blocks.map(([a, b]) => `${a}:${b}`)].join(" ");
    case "TS":
      return `TS val ${option.val >>> 0} ecr ${option.ecr >>> 0}`;
    case "other":
      return option.data.length === 0
        ? `kind ${option.number}`
        : `kind ${option.number} ${hex(option.data)}`;
    case "raw":
      return `raw ${hex(option.data)}`;
    default:
      return option.kind;
  }
}

/** Options in their brackets. */
export function formatOptions(options: readonly TcpOption[]): string {
  return `<${options.map(formatOption).join(",")}>`;
}

/** A segment. */
export function formatSegment(shown: Shown | PacketSpec): string {
  const { flags, seq, bytes, ack, win, urg, options } = shown;
  const parts = [formatFlags(flags), `${seq}:${(seq + bytes) % 0x1_0000_0000}(${bytes})`];
  if ((flags & FLAG_ACK) !== 0 || ack !== 0) parts.push(`ack ${ack}`);
  if (win !== null) parts.push(`win ${win}`);
  if ((flags & FLAG_URG) !== 0 || urg !== 0) parts.push(`urg ${urg}`);
  if (options !== null && options.length > 0) parts.push(formatOptions(options));
  return parts.join(" ");
}
