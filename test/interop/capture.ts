/** Asks tshark what it thinks of a capture of ours. */
import type { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { runHere } from "./namespace.ts";
import { KERNEL_ADDRESS } from "./ports.ts";

/**
 * tshark checks no checksum unless it is told to. What TCP carries stays data: a body of 64 MiB need not be put together, and
 * random bytes look like some protocol now and then.
 */
const OPTIONS: readonly string[] = [
  ...["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"].flatMap((name) => [
    "-o",
    `${name}:TRUE`,
  ]),
  ...["-o", "tcp.desegment_tcp_streams:FALSE", "-d", "tcp.port==1-65535,data"],
];

/** One column each; a checksum's status is 1 when it is good, 0 when it is bad, 2 when it was not checked. */
const FIELDS: readonly string[] = [
  "ip.checksum.status",
  "tcp.checksum.status",
  "udp.checksum.status",
  "icmp.checksum.status",
  "icmpv6.checksum.status",
  "_ws.malformed",
  "tcp.analysis.ack_lost_segment",
  "arp.opcode",
  "arp.src.proto_ipv4",
  "tcp.checksum",
  "tcp.checksum_calculated",
  "ip.src",
  "_ws.expert.severity",
  "_ws.expert.message",
];

/** PI_ERROR of Wireshark's expert information: a checksum, a malformed option. Retransmissions are notes and warnings. */
const SEVERITY_ERROR = "8388608";

/** Complaints that are kept. */
const COMPLAINTS_MAX = 8;

/** What is in a capture. */
export interface Findings {
  readonly frames: number;
  /** Frames whose TCP checksum was computed and found right. */
  readonly goodTcp: number;
  /** As above, of IP. */
  readonly goodIp: number;
  readonly badChecksums: number;
  /** Of the kernel's: 0xffff where tshark wants 0x0000; see `isMangledZero()`. */
  readonly mangledZeros: number;
  /** Cut short, nonsense, or an error of tshark's own choice. */
  readonly malformed: number;
  readonly ackedUnseen: number;
  /** The first of those that are bad or malformed, as tshark shows them. */
  readonly complaints: readonly string[];
  /** Who asked and who answered: `"request from 10.0.0.1"`, `"reply from 10.0.0.2"`. */
  readonly arp: readonly string[];
}

/** Counts what tshark finds. */
export async function examine(path: string): Promise<Findings> {
  const fields = FIELDS.flatMap((field) => ["-e", field]);
  const { code, stdout, stderr } = await runHere("tshark", [
    ...["-n", "-r", path, ...OPTIONS, "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a"],
    ...["-E", "aggregator=+", ...fields],
  ]);
  if (code !== 0) throw new Error(`tshark ended with ${code}: ${stderr}`);
  // A line ends in the tabs of its empty columns: they are not to be trimmed.
  const rows = stdout.split("\n").slice(0, -1).map((line) => line.split("\t"));
  const count = (matches: (row: readonly string[]) => boolean): number =>
    rows.filter(matches).length;
  const has = (cell: string | undefined, status: string): boolean =>
    cell?.split("+").includes(status) ?? false;
  const isBad = (row: readonly string[]): boolean => row.slice(0, 5).some((cell) => has(cell, "0"));
  const isMalformed = (row: readonly string[]): boolean =>
    row[5] !== "" || (has(row.at(-2), SEVERITY_ERROR) && !isBad(row));
  return {
    frames: rows.length,
    goodIp: count((row) => has(row[0], "1")),
    goodTcp: count((row) => has(row[1], "1")),
    badChecksums: count((row) => isBad(row) && !isMangledZero(row)),
    mangledZeros: count(isMangledZero),
    malformed: count(isMalformed),
    complaints: rows.filter((row) => isBad(row) || isMalformed(row)).slice(0, COMPLAINTS_MAX)
      .map((row) => row.join(" ")),
    ackedUnseen: count((row) => (row[6] ?? "") !== ""),
    arp: [
      ...new Set(
        rows.filter((row) => row[7] !== "").map((row) =>
          `${row[7] === "1" ? "request" : "reply"} from ${row[8]}`
        ),
      ),
    ].sort(),
  };
}

/**
 * Linux writes a sum of 0 as 0xffff when it adds up what an offload would have (CSUM_MANGLED_0 in skb_checksum_help). In one's
 * complement both are zero and every receiver takes both; tshark calls it bad. From us it would be a fault.
 */
function isMangledZero(row: readonly string[]): boolean {
  const [checksum, calculated, source] = row.slice(-5, -2);
  return source === KERNEL_ADDRESS && checksum === "0xffff" && calculated === "0x0000";
}

/** Type of an Enhanced Packet Block, where it tells its data's size, and where that begins. */
const BLOCK_PACKET = 6;
const SIZE_OFFSET = 20;
const DATA_OFFSET = 28;

/** In a frame: EtherType and version of IPv4, protocol, and where text begins in a TCP segment with timestamps. */
const TYPE_OFFSET = 12;
const IPV4 = 0x0800_45;
const PROTOCOL_OFFSET = 23;
const TCP = 6;
const TEXT_OFFSET = 66;

/** Copies a capture's first blocks, with one bit of one segment's text flipped: its checksum is wrong then. */
export function plantBadChecksum(path: string, into: string, blocks: number): void {
  const bytes = readFileSync(path);
  let at = 0;
  let isPlanted = false;
  for (let i = 0; i < blocks && at < bytes.length; i++) {
    if (!isPlanted && isText(bytes, at)) {
      const textAt = at + DATA_OFFSET + TEXT_OFFSET;
      bytes.writeUInt8(bytes.readUInt8(textAt) ^ 1, textAt);
      isPlanted = true;
    }
    at += bytes.readUInt32LE(at + 4);
  }
  if (!isPlanted) throw new Error(`No segment with text among the first ${blocks} blocks`);
  writeFileSync(into, bytes.subarray(0, at));
}

/** Whether a block holds a TCP segment with text. */
function isText(bytes: Buffer, at: number): boolean {
  const frameAt = at + DATA_OFFSET;
  return bytes.readUInt32LE(at) === BLOCK_PACKET &&
    bytes.readUInt32LE(at + SIZE_OFFSET) > TEXT_OFFSET &&
    bytes.readUIntBE(frameAt + TYPE_OFFSET, 3) === IPV4 &&
    bytes.readUInt8(frameAt + PROTOCOL_OFFSET) === TCP;
}
