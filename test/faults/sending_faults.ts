/** Faults of the sender: windows, retransmission, congestion. */
import { type Fault, scenario, seed } from "./fault.ts";

export const SENDING_FAULTS: readonly Fault[] = [
  {
    name: "window scaled on the SYN",
    what: "The window of our SYN,ACK is scaled.",
    file: "as/tx/receive_window.ts",
    find: "isSyn ? 0 : ownShift(tcb)",
    replace: "ownShift(tcb)",
    finders: [
      scenario("3_5_handshake", "9293-LISTEN-3 S01 listen() opens, when SYN and then its ACK come"),
    ],
  },
  {
    name: "SYN,ACK read as scaled",
    what: "The window of the peer's SYN,ACK is taken as scaled.",
    file: "as/rx/on_syn_sent.ts",
    find: "tcb.sndWnd = seg.wnd;\n  tcb.sndWl1 = seg.seq;\n  tcb.sndWl2 = seg.ack;",
    replace:
      "tcb.sndWnd = seg.wnd << (u32(tcb.scales) & 15); tcb.sndWl1 = seg.seq; tcb.sndWl2 = seg.ack;",
    finders: [scenario("3_5_handshake", "9293-SYNSENT-4 S01 connect() opens, when SYN,ACK comes")],
  },
  {
    name: "scale of the peer ignored",
    what: "Windows of the peer are taken as they stand in the header.",
    file: "as/conn/tcb.ts",
    find: "u32(tcb.scales) & 15",
    replace: "0",
    finders: [scenario("3_8_edges", "it is scaled from the ACK of our SYN,ACK on")],
  },
  {
    name: "window update lost",
    what: "A segment that has nothing new but its window is not heeded.",
    file: "as/rx/ack.ts",
    find: "atOrBefore(tcb.sndWl2, segAck)",
    replace: "before(tcb.sndWl2, segAck)",
    finders: [
      scenario("3_8_window", "the probe's byte is sent again, when the window opens without it"),
    ],
  },
  {
    name: "old segment shrinks the window",
    what: "SND.WND follows every segment, also those that were overtaken.",
    file: "as/rx/ack.ts",
    find: "if (!isWindowNewer(tcb, seg.seq, seg.ack)) return false;",
    replace: "",
    finders: [
      scenario("3_8_edges", "the newer segment's holds, when an older one comes behind it"),
    ],
  },
  {
    name: "persist timer forgotten",
    what: "A window stays closed and no timer runs.",
    file: "as/tx/output.ts",
    find: "isRtoArmed(tcb) || (tcb.flags & FLAG_TIMER_PERSIST) !== 0 || isStalled()",
    replace: "true",
    finders: [
      scenario(
        "3_8_window",
        "SHLD-29 SHLD-30 one byte probes with backoff, when the window stays closed (MUST-36)",
      ),
      seed(35),
    ],
  },
  {
    name: "sender SWS",
    what: "Any window, however small, is filled at once.",
    file: "as/tx/usable_window.ts",
    find: "bytes >= widest / 2 && widest > 0",
    replace: "true",
    finders: [
      scenario(
        "3_7_segmentation",
        "MUST-38 a sliver of a window is not used, when it is below half of the largest",
      ),
      seed(7),
    ],
  },
  {
    name: "Nagle off",
    what: "A small segment goes though another is outstanding.",
    file: "as/tx/usable_window.ts",
    find: "return tcb.sndNxt === tcb.sndUna;",
    replace: "return true;",
    finders: [
      scenario(
        "3_7_segmentation",
        "SHLD-7 MAY-16 the first byte goes at once and the rest waits for its ACK, when Nagle is on",
      ),
      seed(11),
    ],
  },
  {
    name: "MSS of the peer ignored",
    what: "Segments are as large as the link allows.",
    file: "as/conn/tcb.ts",
    find: "u32(tcb.peerMss)",
    replace: "u32(65535)",
    finders: [
      scenario(
        "3_7_segmentation",
        "MUST-14 SHLD-28 S08 segments have the peer's MSS, when it offers less than our link has",
      ),
      seed(0),
    ],
  },
  {
    name: "window overrun",
    what: "One byte more is sent than the window allows.",
    file: "as/tx/usable_window.ts",
    find: "edge - tcb.sndNxt",
    replace: "edge - tcb.sndNxt + 1",
    finders: [
      scenario(
        "3_7_segmentation",
        "MUST-38 half of the largest window is used, when it is below a segment",
      ),
      seed(41),
    ],
  },
  {
    name: "FIN never retransmitted",
    what: "What is sent again goes without its FIN.",
    file: "as/tx/retransmit.ts",
    find: "(fin && whole ? TCP_FIN : 0)",
    replace: "0",
    finders: [
      scenario("3_6_closing", "FIN is sent again with backoff, when it is not acknowledged"),
      seed(160),
    ],
  },
  {
    name: "reneging not noticed",
    what: "Blocks are believed that the peer has dropped.",
    file: "as/loss/scoreboard.ts",
    find: "flight.runCount === 0 || (runAt(flight, 0).flags & RUN_SACKED) === 0",
    replace: "true",
    finders: [
      scenario(
        "5681_recovery",
        "2018-6 held bytes are sent again, when the peer has reneged (RFC 2018 section 8)",
      ),
    ],
  },
  {
    name: "SACKed data sent again",
    what: "A timeout deems lost what the peer holds.",
    file: "as/loss/scoreboard.ts",
    find: "if ((run.flags & RUN_SACKED) === 0) setFlags(flight, run, run.flags | RUN_LOST);",
    replace: "setFlags(flight, run, (run.flags | RUN_LOST) & ~RUN_SACKED);",
    finders: [
      scenario(
        "5681_recovery",
        "2018-6 held bytes are sent again, when the peer has reneged (RFC 2018 section 8)",
      ),
    ],
  },
  {
    name: "RTO not backed off",
    what: "A timeout does not double RTO.",
    file: "as/loss/rtt.ts",
    find: "clampRto(tcb.rtoMs * 2)",
    replace: "tcb.rtoMs",
    finders: [
      scenario(
        "3_5_handshake",
        "6298-5 MUST-22 MUST-23 6298-1 6298-11 S06 SYN is repeated with backoff up to 60 s, when nobody answers",
      ),
      seed(20),
    ],
  },
  {
    name: "Karn ignored on the SYN",
    what: "A SYN that was repeated is an RTT sample.",
    file: "as/rx/on_syn_sent.ts",
    find: "(tcb.flags & FLAG_SYN_RETRANSMITTED) === 0",
    replace: "true",
    finders: [
      scenario(
        "3_5_handshake",
        "6928-2 the first window is one segment, when the SYN was repeated twice",
      ),
    ],
  },
  {
    name: "Karn ignored",
    what: "Text that was sent again is an RTT sample.",
    file: "as/loss/scoreboard.ts",
    find: "setFlags(flight, run, (run.flags & ~RUN_LOST) | RUN_RETRANSMITTED);",
    replace: "setFlags(flight, run, run.flags & ~RUN_LOST);",
    finders: [
      scenario(
        "3_8_retransmission",
        "MUST-18 6298-6 the backoff stays until a new sample, when the ACK is of a repetition (Karn)",
      ),
      seed(13),
    ],
  },
  {
    name: "RTT smoothed wrongly",
    what: "SRTT follows a sample with 1/4.",
    file: "as/loss/rtt.ts",
    find: "tcb.srttUs - tcb.srttUs / 8 + r / 8",
    replace: "tcb.srttUs - tcb.srttUs / 4 + r / 4",
    finders: [
      scenario("3_8_retransmission", "6298-3 RTO follows later samples, when they differ (2.3)"),
    ],
  },
  {
    name: "cwnd grown by ACKs of the unsent",
    what: "An ACK of what was never sent makes cwnd grow.",
    file: "as/rx/ack.ts",
    find: "count(STAT_DROP_ACK_UNSENT);",
    replace: "tcb.cwnd += u32(tcb.mss); count(STAT_DROP_ACK_UNSENT);",
    finders: [scenario("3_8_edges", "cwnd stays, when an ACK is of what was never sent")],
  },
  {
    name: "cwnd grown unused",
    what: "A congestion window that is not used grows.",
    file: "as/loss/congestion.ts",
    find: "!used",
    replace: "false",
    finders: [scenario("5681_recovery", "cwnd does not grow, when it was not used (RFC 7661)")],
  },
  {
    name: "R2 never reached",
    what: "Nobody gives up, however long the peer is silent.",
    file: "as/expire.ts",
    find: "!isBeyondR2(tcb, control.nowMs - flight.firstSentMs)",
    replace: "true",
    finders: [
      scenario(
        "3_8_retransmission",
        "MUST-19 MUST-20 SHLD-11 6298-10 6298-5 6298-11 text is sent again with backoff and given up after R2, when nobody answers",
      ),
    ],
  },
  {
    name: "PRR off",
    what: "During recovery cwnd does not follow what arrives.",
    file: "as/loss/prr.ts",
    find: "if (delivered === 0) return;",
    replace: "return;",
    finders: [
      scenario(
        "5681_recovery",
        "6675-1 6675-5 5681-9 the hole is sent again and nothing else, when three segments above it are held",
      ),
    ],
  },
  {
    name: "PRR without bound",
    what: "During recovery more than ssthresh gets in flight.",
    file: "as/loss/prr.ts",
    find: "sendable > ssthresh - pipe",
    replace: "false",
    finders: [
      scenario(
        "5681_recovery",
        "6675-3 each hole is sent again once enough is held above it, when there are two",
      ),
    ],
  },
  {
    name: "wrong undo",
    what: "Any echo shows that a timeout or a recovery was a mistake.",
    file: "as/loss/undo.ts",
    find: "!before(seg.tsEcr, flight.retransmitStamp)",
    replace: "false",
    finders: [
      scenario("3_8_edges", "what is lost goes again, when the ACK echoes the retransmission"),
    ],
  },
  {
    name: "undo by one D-SACK",
    what: "One duplicate of several retransmissions shows that the recovery was a mistake.",
    file: "as/loss/undo.ts",
    find: "return flight.undoRetransmits === 0;",
    replace: "return true;",
    finders: [
      scenario(
        "3_8_edges",
        "what is lost goes again, when one of two retransmissions was a duplicate",
      ),
    ],
  },
  {
    name: "tail probe late",
    what: "A tail loss probe goes after four round trips instead of two.",
    file: "as/loss/tlp.ts",
    find: "2 * tcb.srttUs + US_PER_MS - 1",
    replace: "4 * tcb.srttUs + US_PER_MS - 1",
    finders: [
      scenario(
        "8985_tlp",
        "8985-8 8985-9 the highest segment goes again, when two round trips are silent",
      ),
    ],
  },
  {
    name: "urgent pointer sent off by one",
    what: "SEG.UP points to the last urgent byte, not behind it.",
    file: "as/tx/build_segment.ts",
    find: "extra.sndUp - seq",
    replace: "extra.sndUp - seq - 1",
    finders: [
      scenario(
        "3_8_urgent",
        "MUST-30 MUST-62 the pointer points after the urgent data, until it is acknowledged",
      ),
    ],
  },
];
