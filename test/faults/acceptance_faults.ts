/** Faults in what is acceptable: the edges of windows and acknowledgments, and comparisons. */
import { type Fault, matrix, scenario, seed } from "./fault.ts";

export const ACCEPTANCE_FAULTS: readonly Fault[] = [
  {
    name: "text before the window",
    what: "A text that ends right before RCV.NXT is acceptable.",
    file: "as/rx/acceptance.ts",
    find: "inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    replace: "inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen, rcvNxt, rcvWnd)",
    finders: [matrix("SYN-RECEIVED", "A")],
  },
  {
    name: "text after the window",
    what: "A text that begins right after the window is acceptable.",
    file: "as/rx/acceptance.ts",
    find: "inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    replace:
      "inWindow(segSeq, rcvNxt, rcvWnd + 1) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    finders: [matrix("SYN-RECEIVED", "A")],
  },
  {
    name: "overlap refused",
    what: "A text that begins before RCV.NXT and ends in the window is not acceptable.",
    file: "as/rx/acceptance.ts",
    find: "inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    replace: "inWindow(segSeq, rcvNxt, rcvWnd)",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACCEPT-4 only the new part is taken, when a segment overlaps",
      ),
      matrix("SYN-RECEIVED", "A"),
    ],
  },
  {
    name: "last byte refused",
    what: "A text that begins at the last byte of the window is not acceptable.",
    file: "as/rx/acceptance.ts",
    find: "inWindow(segSeq, rcvNxt, rcvWnd) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    replace:
      "inWindow(segSeq, rcvNxt, rcvWnd - 1) || inWindow(segSeq + segLen - 1, rcvNxt, rcvWnd)",
    finders: [matrix("SYN-RECEIVED", "A")],
  },
  {
    name: "length 0, lower edge",
    what: "A segment of length 0 at RCV.NXT - 1 is acceptable.",
    file: "as/rx/acceptance.ts",
    find: "return inWindow(segSeq, rcvNxt, rcvWnd);",
    replace: "return inWindow(segSeq, rcvNxt - 1, rcvWnd + 1);",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACCEPT-2 ESTABLISHED answers an ACK, when a segment is outside of the window",
      ),
      matrix("SYN-RECEIVED", "A"),
    ],
  },
  {
    name: "length 0, upper edge",
    what: "A segment of length 0 right after the window is acceptable.",
    file: "as/rx/acceptance.ts",
    find: "return inWindow(segSeq, rcvNxt, rcvWnd);",
    replace: "return inWindow(segSeq, rcvNxt, rcvWnd + 1);",
    finders: [matrix("SYN-RECEIVED", "A")],
  },
  {
    name: "length 0, window 0",
    what: "At a closed window RCV.NXT + 1 is acceptable, too.",
    file: "as/rx/acceptance.ts",
    find: "segSeq === rcvNxt",
    replace: "segSeq - rcvNxt <= 1",
    finders: [matrix("ESTABLISHED, closed window", "A")],
  },
  {
    name: "text, window 0",
    what: "At a closed window text at RCV.NXT is acceptable.",
    file: "as/rx/acceptance.ts",
    find: "if (rcvWnd === 0) return false;",
    replace: "if (rcvWnd === 0) return segSeq === rcvNxt;",
    finders: [matrix("ESTABLISHED, closed window", "F")],
  },
  {
    name: "ACK, lower edge",
    what: "An acknowledgment of SND.UNA counts as new.",
    file: "as/rx/acceptance.ts",
    find: "after(segAck, sndUna) && atOrBefore(segAck, sndNxt)",
    replace: "i32(segAck - sndUna) >= 0 && atOrBefore(segAck, sndNxt)",
    finders: [matrix("SYN-SENT", "A")],
  },
  {
    name: "ACK, upper edge",
    what: "An acknowledgment of all that was sent does not count.",
    file: "as/rx/acceptance.ts",
    find: "after(segAck, sndUna) && atOrBefore(segAck, sndNxt)",
    replace: "after(segAck, sndUna) && after(sndNxt, segAck)",
    finders: [matrix("SYN-SENT", "A"), seed(3)],
  },
  {
    name: "ACK beyond SND.NXT",
    what: 'An acknowledgment of SND.NXT + 1 is not "of something not yet sent".',
    file: "as/rx/ack.ts",
    find: "after(seg.ack, tcb.sndNxt)",
    replace: "after(seg.ack, tcb.sndNxt + 1)",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACK-3 5961-3 an ACK is sent and the segment dropped, when it acknowledges what was never sent",
      ),
      matrix("ESTABLISHED", "A"),
    ],
  },
  {
    name: "old ACK, lower edge",
    what: "An acknowledgment one byte older than RFC 5961 section 5.2 allows is believed.",
    file: "as/rx/ack.ts",
    find: "!before(seg.ack, tcb.sndUna - most)",
    replace: "!before(seg.ack, tcb.sndUna - most - 1)",
    finders: [matrix("ESTABLISHED", "A")],
  },
  {
    name: "text cut too late",
    what: "One byte beyond the window is taken.",
    file: "as/rx/acceptance.ts",
    find: "rcvNxt + rcvWnd",
    replace: "rcvNxt + rcvWnd + 1",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACCEPT-4 what lies beyond the window is cut off, when a segment reaches across its edge",
      ),
    ],
  },
  {
    name: "text cut too much",
    what: "Of a text that was partly received before, one new byte is taken for old.",
    file: "as/rx/acceptance.ts",
    find: "return old < bytes ? old : bytes;",
    replace: "return old + 1 < bytes ? old + 1 : bytes;",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACCEPT-4 only the new part is taken, when a segment overlaps",
      ),
      matrix("SYN-RECEIVED", "A"),
    ],
  },
  {
    name: "RST off by one",
    what: "A RST at RCV.NXT + 1 resets, too.",
    file: "as/rx/rst_syn.ts",
    find: "seg.seq !== tcb.rcvNxt",
    replace: "seg.seq - tcb.rcvNxt > 1",
    finders: [
      scenario(
        "3_5_reset",
        "5961-1 ESTABLISHED answers a challenge ACK, when RST is elsewhere in the window",
      ),
      matrix("SYN-RECEIVED", "R"),
    ],
  },
  {
    name: "RST anywhere in the window",
    what: "A RST resets wherever in the window it lies.",
    file: "as/rx/rst_syn.ts",
    find: "seg.seq !== tcb.rcvNxt",
    replace: "!inWindow(seg.seq, tcb.rcvNxt, receiveWindow(tcb))",
    finders: [
      scenario(
        "3_5_reset",
        "5961-1 ESTABLISHED answers a challenge ACK, when RST is elsewhere in the window",
      ),
      matrix("SYN-RECEIVED", "R"),
    ],
  },
  {
    name: "after() by >",
    what: "Of two sequence numbers the larger is the later.",
    file: "as/seq.ts",
    find: "i32(a - b) > 0",
    replace: "a > b",
    finders: [matrix("SYN-RECEIVED", "A")],
  },
  {
    name: "before() by <",
    what: "Of two sequence numbers the smaller is the earlier.",
    file: "as/seq.ts",
    find: "i32(b - a) > 0",
    replace: "a < b",
    finders: [matrix("SYN-SENT", "S")],
  },
  {
    name: "atOrAfter() by >=",
    what: "The same, where equality counts.",
    file: "as/seq.ts",
    find: "i32(a - b) >= 0",
    replace: "a >= b",
    finders: [
      scenario("3_4_sequence", "our hole is sent again, when it spans 2^32", "our ISS wraps"),
    ],
  },
  {
    name: "atOrBefore() by <=",
    what: "The same, the other way round.",
    file: "as/seq.ts",
    find: "i32(b - a) >= 0",
    replace: "a <= b",
    finders: [matrix("ESTABLISHED", "A")],
  },
];
