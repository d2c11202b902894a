/** Faults of the receiver. */
import { type Fault, scenario, seed, stampedMatrix } from "./fault.ts";

export const RECEIVING_FAULTS: readonly Fault[] = [
  {
    name: "PAWS skipped",
    what: "An old timestamp is no reason to drop a segment.",
    file: "as/rx/sequence.ts",
    find: "!before(seg.tsVal, tcb.tsRecent)",
    replace: "true",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "7323-13 a segment is dropped and acknowledged, when its timestamp is old",
      ),
      stampedMatrix("SYN-RECEIVED", "A"),
    ],
  },
  {
    name: "TS.Recent from any segment",
    what: "TS.Recent follows segments beyond RCV.NXT, too.",
    file: "as/rx/sequence.ts",
    find: "atOrBefore(seg.seq, tcb.rcvNxt)",
    replace: "true",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "7323-11 the echo is of the segment that advanced the window, when ACKs are delayed",
      ),
    ],
  },
  {
    name: "probe unanswered",
    what: "At a closed window a probe is as unacceptable as any text.",
    file: "as/rx/sequence.ts",
    find: "receiveWindow(tcb) === 0 && seg.seq === tcb.rcvNxt && (seg.flags & TCP_SYN) === 0",
    replace: "false",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "FIN is taken, when our window is closed and it comes alone",
      ),
    ],
  },
  {
    name: "TIME-WAIT not restarted",
    what: "A repeated FIN does not restart 2 MSL.",
    file: "as/rx/sequence.ts",
    find: "armLife(tcb, timeWaitMs());",
    replace: "",
    finders: [
      scenario(
        "3_6_closing",
        "9293-FIN-4 a repeated FIN is acknowledged and starts it anew, when the user holds the handle",
      ),
    ],
  },
  {
    name: "FIN taken over a hole",
    what: "A FIN is taken though bytes before it are missing.",
    file: "as/rx/text.ts",
    find: "seg.seq + seg.textBytes === tcb.rcvNxt",
    replace: "true",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "FIN is not taken, when text before it lies beyond the window",
      ),
      seed(2),
    ],
  },
  {
    name: "delayed ACK never sent",
    what: "The timer of the delayed ACK sends nothing.",
    file: "as/expire.ts",
    find: "owe(tcb, OWED_ACK);",
    replace: "",
    finders: [
      scenario(
        "3_8_acknowledgment",
        "MUST-40 SHLD-18 the ACK waits exactly 40 ms, when one segment came",
      ),
      seed(16),
    ],
  },
  {
    name: "delayed ACK too late",
    what: "An ACK is delayed for more than half a second.",
    file: "as/rx/text.ts",
    find: "armAck(tcb, boot.delayedAckMs);",
    replace: "armAck(tcb, 16 * boot.delayedAckMs);",
    finders: [
      scenario(
        "3_8_acknowledgment",
        "MUST-40 SHLD-18 the ACK waits exactly 40 ms, when one segment came",
      ),
    ],
  },
  {
    name: "second segment not acknowledged",
    what: "Every segment waits for the delayed ACK, not every first of two.",
    file: "as/rx/text.ts",
    find:
      "if (boot.ackEvery === EVERY_SECOND) seg.answer = ANSWER_ACK;\n  else owe(tcb, OWED_ACK);",
    replace: "",
    finders: [
      scenario("3_8_acknowledgment", "SHLD-19 the ACK goes at once, when a second segment came"),
    ],
  },
  {
    name: "receiver reneges",
    what:
      "Bytes beyond a hole are dropped when the user has read all before it, though SACK told of them.",
    file: "as/user/receive.ts",
    find: "rangeCount(changetype<usize>(flightAt(tcb.flight))) !== 0",
    replace: "false",
    finders: [seed(2)],
  },
  {
    name: "receiver SWS",
    what: "Every byte that the user reads moves the right edge of the window.",
    file: "as/tx/receive_window.ts",
    find: "edge - tcb.rcvAdv < worthwhile(tcb)",
    replace: "false",
    finders: [
      scenario(
        "3_8_edges",
        "it stays closed in an answer, when the user has read one byte (MUST-39)",
      ),
    ],
  },
  {
    name: "window shrinks",
    what: "The right edge of the window moves left.",
    file: "as/tx/receive_window.ts",
    find: "before(edge, tcb.rcvAdv)",
    replace: "false",
    finders: [
      scenario(
        "3_8_window",
        "its right edge never moves left, when the buffer option shrinks (SHLD-14)",
      ),
      seed(2),
    ],
  },
  {
    name: "window update not sent",
    what: "Nobody tells the peer that the user has made room.",
    file: "as/user/receive.ts",
    find: "wantsWindowUpdate(tcb)",
    replace: "false",
    finders: [
      scenario(
        "3_8_window",
        "it shrinks as text comes, closes, and its opening is told, when the user reads",
      ),
    ],
  },
  {
    name: "ring growth loses a byte",
    what: "When a ring grows, its last byte is not copied.",
    file: "as/conn/rings.ts",
    find: "memory.copy(target + (from & grownMask), source + offset, piece);",
    replace: "memory.copy(target + (from & grownMask), source + offset, piece - 1);",
    finders: [
      scenario("3_8_edges", "no byte changes, when it doubles twice while the user reads nothing"),
      seed(2),
    ],
  },
  {
    name: "checksum not verified",
    what: "A segment with a wrong checksum is taken.",
    file: "as/wire/tcp_header.ts",
    find: "!isChecksumRight(tcp, bytes, segment)",
    replace: "false",
    finders: [
      scenario(
        "3_5_reset",
        "MUST-3 a segment with a wrong checksum is silence and a counter (S58)",
      ),
      seed(2),
    ],
  },
  {
    name: "urgent pointer read off by one",
    what: "SEG.UP is taken for the last urgent byte, not for what is behind it.",
    file: "as/rx/urgent.ts",
    find: "seg.seq + seg.urgent",
    replace: "seg.seq + seg.urgent + 1",
    finders: [
      scenario(
        "3_8_urgent",
        "MUST-32 MUST-33 the user is told when it begins, and how much is left",
      ),
    ],
  },
];
