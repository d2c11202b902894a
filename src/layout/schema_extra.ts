/** The codes of congestion control, loss recovery and rarely used options; part of `schema.ts`. */
import type { EnumSchema } from "./schema_types.ts";

/** Codes and flags that only some connections come to need. */
export const EXTRA_ENUMS: readonly EnumSchema[] = [
  {
    name: "EXTRA_FLAG",
    kind: "bits",
    doc: "Properties of one connection, in Extra.flags.",
    members: [
      ["KEEP_ALIVE", "Keepalives are on. RFC 9293 MUST-24."],
      ["SND_UP", "SND.UP is beyond what was acknowledged: segments carry URG."],
      ["RCV_UP", "RCV.UP is beyond what the user has read."],
      ["PROBE_MTU", "The path MTU is searched by probes."],
      ["NO_PMTU", "ICMP does not lower the path MTU, and DF is not set."],
      ["QUIET_ERRORS", "Soft errors are not told. RFC 9293 SHLD-20."],
      ["USER_TIMEOUT_SENT", "The user timeout is told to the remote. RFC 5482."],
      ["NO_QUICK_ACK", "ACKs may wait from the first segment on."],
      ["FAST_OPEN_ASKED", "The SYN carries the Fast Open option."],
      ["SYN_DATA", "The SYN carried data."],
      ["SYN_DATA_ACKED", "The SYN,ACK acknowledged it (TCPI_OPT_SYN_DATA)."],
      ["NO_ECN", "Our SYN does not ask for ECN."],
      ["ECN_ASKED", "Our SYN asks for ECN."],
      ["NO_TIMESTAMPS", "Our SYN offers no timestamps."],
      ["LINGERS", "lingerMs counts."],
      ["USER_TIMEOUT_OWED", "The next segment without SYN carries the user timeout. RFC 5482."],
      ["MTU_BLACK_HOLE", "A black hole was met: the path MTU is searched from below."],
    ],
  },
  {
    name: "RACK_FLAG",
    kind: "bits",
    doc: "Flags of RACK, in Flight.rackFlags.",
    members: [
      ["VALID", "RACK.xmit_ts and what goes with it hold values."],
      ["REORDERING", "RACK.reordering_seen."],
      ["DSACK", "dsackRound holds a value."],
      ["FACK", "rackFack holds a value."],
    ],
  },
  {
    name: "TLP_FLAG",
    kind: "bits",
    doc: "Flags of tail loss probes, in Flight.tlpFlags. RFC 8985 section 7.1.",
    members: [
      ["OUT", "A probe is out: TLP.end_seq holds a value."],
      ["RETRANSMITTED", "TLP.is_retrans: the probe was a retransmission."],
    ],
  },
  {
    name: "UNDO_FLAG",
    kind: "bits",
    doc: "What may be undone, in Flight.undoFlags.",
    members: [
      ["ARMED", "undoMarker, priorCwnd and priorSsthresh hold values."],
      ["STAMPED", "retransmitStamp holds a value."],
      ["FRTO", "F-RTO step 2 is awaited."],
      ["FRTO_SENT", "F-RTO step 3: new data was sent."],
      ["LOSS", "The reduction came of a timeout."],
    ],
  },
  {
    name: "RECEIVE_FLAG",
    kind: "bits",
    doc: "Flags of the receiving side, in Flight.receiveFlags.",
    members: [
      ["FIN_HELD", "finSeq holds a value."],
    ],
  },
  {
    name: "HYSTART_FLAG",
    kind: "bits",
    doc: "Flags of HyStart++, in Flight.hystartFlags.",
    members: [
      ["ROUND", "windowEnd holds a value."],
      ["CONSERVATIVE", "In conservative slow start."],
    ],
  },
  {
    name: "CUBIC_FLAG",
    kind: "bits",
    doc: "Flags of CUBIC, in Flight.cubicFlags.",
    members: [
      ["EPOCH", "A congestion avoidance stage is under way."],
    ],
  },
  {
    name: "CONGESTION",
    kind: "values",
    doc: "Congestion control algorithms.",
    members: [
      ["NEW_RENO", "RFC 5681 and RFC 6582."],
      ["CUBIC", "RFC 9438."],
    ],
  },
  {
    name: "COOKIES",
    kind: "values",
    doc: "When SYN cookies are sent. RFC 4987 section 3.6.",
    members: [
      ["NEVER", "A full backlog drops SYNs."],
      ["PRESSURE", "When a backlog of half-open connections, or the connection table, is full."],
      ["ALWAYS", "In answer to every SYN."],
    ],
  },
  {
    name: "MTU_PROBING",
    kind: "values",
    doc: "When path MTUs are searched by probes. RFC 8899, RFC 4821.",
    members: [
      ["OFF", "Never."],
      ["BLACK_HOLE", "When full-sized segments vanish without a word."],
      ["ALWAYS", "On every connection."],
    ],
  },
];
