/** Faults of super-segments: what goes into one record, and what a header may ask for. */
import { type Fault, scenario } from "./fault.ts";

export const SUPER_FAULTS: readonly Fault[] = [
  {
    name: "super-segment beyond the window",
    what: "A super-segment is as long as the congestion window allows, whatever the remote offers.",
    file: "as/tx/super_segment.ts",
    find: "if (offered < most) most = offered;",
    replace: "",
    finders: [
      scenario("super_segments", "is what the remote's window takes, when that is less"),
    ],
  },
  {
    name: "super-segment beyond cwnd",
    what: "A super-segment is as long as the remote's window allows, whatever cwnd says.",
    file: "as/tx/super_segment.ts",
    find: "if (room < most) most = room;",
    replace: "",
    finders: [
      scenario("super_segments", "is what the congestion window takes, when that is less"),
    ],
  },
  {
    name: "tail in a super-segment",
    what: "What Nagle's algorithm holds back goes at the end of a super-segment.",
    file: "as/tx/super_segment.ts",
    find: "unsent % full === 0 || mayFollow(tcb)",
    replace: "true",
    finders: [
      scenario("super_segments", "ends with the last full segment, when Nagle holds the tail"),
    ],
  },
  {
    name: "CWR in every segment",
    what: "CWR stands in a super-segment whose link would repeat it.",
    file: "as/tx/super_segment.ts",
    find: "(tcb.flags & FLAG_ECN_CWR) === 0 || (control.offload & OFFLOAD_ECN) !== 0",
    replace: "true",
    finders: [scenario("super_segments", "goes alone, when the link does not")],
  },
  {
    name: "one urgent pointer for many",
    what: "Urgent data goes in super-segments, whose pointer is right for the first segment alone.",
    file: "as/tx/super_segment.ts",
    find: "flight.recovery === RECOVERY_DISORDER || isUrgent(tcb)",
    replace: "flight.recovery === codes.RECOVERY_DISORDER",
    finders: [
      scenario(
        "super_segments",
        "goes one by one, when it is urgent: the pointer counts from each segment (MUST-31)",
      ),
    ],
  },
  {
    name: "checksum believed unasked",
    what: "A header that vouches for a checksum is believed on a link that did not negotiate it.",
    file: "as/rx/offload.ts",
    find: "flags !== 0 && !hasOffload(OFFLOAD_CHECKSUM)",
    replace: "false",
    finders: [
      scenario(
        "super_segments_in",
        "when a checksum is vouched for where that was not negotiated",
      ),
    ],
  },
  {
    name: "super-segment counts as one",
    what: "A super-segment of many segments waits for the delayed ACK.",
    file: "as/rx/text.ts",
    find: "many === 1 && (tcb.flags & FLAG_TIMER_ACK) === 0",
    replace: "(tcb.flags & codes.FLAG_TIMER_ACK) === 0",
    finders: [
      scenario(
        "super_segments_in",
        "is acknowledged at once, when it stands for two segments and more (SHLD-19)",
      ),
    ],
  },
];
