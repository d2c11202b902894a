/** Faults of states, timers and answers. */
import { type Fault, scenario, seed } from "./fault.ts";

export const STATE_FAULTS: readonly Fault[] = [
  {
    name: "simultaneous open stuck",
    what: "A SYN in SYN-SENT is not answered.",
    file: "as/rx/on_syn_sent.ts",
    find: "owe(tcb, OWED_SYN);",
    replace: "",
    finders: [
      scenario(
        "3_5_handshake",
        "9293-SYNSENT-5 S02 four segments open one connection, when SYNs cross (MUST-10)",
      ),
    ],
  },
  {
    name: "CLOSING skipped",
    what: "A FIN in FIN-WAIT-1 leads to TIME-WAIT though ours is not acknowledged.",
    file: "as/rx/fin.ts",
    find: "transition(tcb, STATE_CLOSING, CAUSE_FIN);",
    replace:
      "transition(tcb, STATE_CLOSING, CAUSE_FIN); enterTimeWait(tcb, codes.CAUSE_ACK_OF_FIN);",
    finders: [
      scenario(
        "3_10_segment_arrives",
        "9293-ACK-1 CLOSING drops a segment in silence, when it has no ACK",
      ),
      seed(19),
    ],
  },
  {
    name: "TIME-WAIT short",
    what: "TIME-WAIT lasts one MSL.",
    file: "as/conn/time_wait.ts",
    find: "boot.mslMs * 2",
    replace: "boot.mslMs",
    finders: [
      scenario(
        "3_6_closing",
        "MUST-13 its tuple is free after 60 s and not before, when the user holds the handle",
      ),
      seed(2),
    ],
  },
  {
    name: "keepalive early",
    what: "A keepalive is sent though the peer was heard meanwhile.",
    file: "as/expire.ts",
    find: "silentMs < (extra.keepProbes === 0 ? idleMs : keepIntervalOf(tcb))",
    replace: "false",
    finders: [
      scenario(
        "3_8_keepalive",
        "MUST-28 the first comes after two hours, when only KEEP_ALIVE is set",
      ),
    ],
  },
  {
    name: "challenge ACKs unlimited",
    what: "Each attack on a connection is answered.",
    file: "as/tx/reply.ts",
    find: "control.challengeTokens--;",
    replace: "",
    finders: [scenario("3_5_reset", "5961-4 challenge ACKs are limited, when RSTs are many")],
  },
  {
    name: "RST answered",
    what: "A RST for no connection is answered with a RST.",
    file: "as/tx/reply.ts",
    find: "(seg.flags & TCP_RST) !== 0",
    replace: "false",
    finders: [scenario("3_5_reset", "9293-CLOSED-3 S40 RST is not answered, when nobody listens")],
  },
  {
    name: "ISN without its clock",
    what: "The ISN of a tuple is always the same.",
    file: "as/conn/tcb.ts",
    find: "control.isnClock + u32(secret)",
    replace: "u32(secret)",
    finders: [
      scenario(
        "3_4_sequence",
        "it grows by one each 4 µs, when the same tuple opens again (MUST-8)",
      ),
    ],
  },
  {
    name: "SYN resets",
    what: "A SYN in a synchronized state resets the connection.",
    file: "as/rx/rst_syn.ts",
    find: "seg.answer = ANSWER_CHALLENGE;\n  return DONE;",
    replace: "endConnection(tcb, CAUSE_RST, REASON_RESET); return DONE;",
    finders: [
      scenario(
        "3_5_reset",
        "S20 the old connection dies by its challenge, when the peer crashed and opens anew",
      ),
    ],
  },
];
