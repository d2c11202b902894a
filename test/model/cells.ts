/**
 * The cells of the state matrices: every state, met by every class of segment and by every call.
 *
 * **States.** The eleven of RFC 9293 section 3.3.2. Four stand for themselves a second time, because the text or this
 * implementation tells them apart: SYN-RECEIVED after an active open (sections 3.10.7.4, second and fourth), ESTABLISHED
 * and FIN-WAIT-1 with a closed receive window (first), and TIME-WAIT whose user has let go of the connection while the
 * port listens (MAY-2). Those are counted apart from the eleven.
 *
 * **48 classes of segments** are eight sets of flags × two places in the window × three places of the acknowledgment:
 * each of the tests of section 3.10.7.4 has a flag, an edge of the window or a bound of SEG.ACK that decides it. Where the
 * ACK bit is off the field holds the number all the same: it must not be looked at.
 *
 * **9 edges**: -1, 0, +1 of the place in the window, by -1, 0, +1 of the place of the acknowledgment. Each is sent with
 * three payloads: none, one byte, and as much as the window takes, which is where lengths decide.
 *
 * **9 user events** are the calls of section 3.10 with both kinds of OPEN, the half close of reading, and the next
 * timeout.
 */

/** States of RFC 9293 section 3.3.2. */
export type State =
  | "CLOSED"
  | "LISTEN"
  | "SYN-SENT"
  | "SYN-RECEIVED"
  | "ESTABLISHED"
  | "FIN-WAIT-1"
  | "FIN-WAIT-2"
  | "CLOSE-WAIT"
  | "CLOSING"
  | "LAST-ACK"
  | "TIME-WAIT";

/** A state and how it stands there. */
export interface Standing {
  readonly name: string;
  readonly state: State;
  /** Not one of the eleven, but a second time of one of them. */
  readonly again?: "active" | "closed window" | "let go";
}

/** Where a connection stands when the cell begins. */
export const STANDINGS: readonly Standing[] = [
  { name: "CLOSED", state: "CLOSED" },
  { name: "LISTEN", state: "LISTEN" },
  { name: "SYN-SENT", state: "SYN-SENT" },
  { name: "SYN-RECEIVED", state: "SYN-RECEIVED" },
  { name: "SYN-RECEIVED, active", state: "SYN-RECEIVED", again: "active" },
  { name: "ESTABLISHED", state: "ESTABLISHED" },
  { name: "ESTABLISHED, closed window", state: "ESTABLISHED", again: "closed window" },
  { name: "FIN-WAIT-1", state: "FIN-WAIT-1" },
  { name: "FIN-WAIT-1, closed window", state: "FIN-WAIT-1", again: "closed window" },
  { name: "FIN-WAIT-2", state: "FIN-WAIT-2" },
  { name: "CLOSE-WAIT", state: "CLOSE-WAIT" },
  { name: "CLOSING", state: "CLOSING" },
  { name: "LAST-ACK", state: "LAST-ACK" },
  { name: "TIME-WAIT", state: "TIME-WAIT" },
  { name: "TIME-WAIT, let go", state: "TIME-WAIT", again: "let go" },
];

/** Sets of flags, as letters; "-" is none. */
export const FLAG_SETS = ["-", "A", "S", "SA", "R", "RA", "F", "FA"] as const;
/** Places of SEG.SEQ: RCV.NXT, and RCV.NXT + RCV.WND. */
export const WINDOW_PLACES = ["left", "right"] as const;
/** Places of SEG.ACK: SND.UNA, SND.NXT, and SND.UNA - MAX.SND.WND (RFC 5961 section 5.2). */
export const ACK_PLACES = ["SND.UNA", "SND.NXT", "oldest"] as const;
/** What is added to a place. */
export const EDGES = [-1, 0, 1] as const;
/** Payloads; "window" is all that the receive window takes. */
export const PAYLOADS = [0, 1, "window"] as const;
/** Calls and what else is no segment. */
export const USER_EVENTS = [
  "OPEN active",
  "OPEN passive",
  "SEND",
  "RECEIVE",
  "CLOSE",
  "ABORT",
  "STATUS",
  "closeRead",
  "timeout",
] as const;

/** One class of segments. */
export interface SegmentClass {
  readonly flags: (typeof FLAG_SETS)[number];
  readonly window: (typeof WINDOW_PLACES)[number];
  readonly ack: (typeof ACK_PLACES)[number];
}

/** One segment of a class. */
export interface SegmentCell extends SegmentClass {
  readonly windowEdge: number;
  readonly ackEdge: number;
  readonly payload: (typeof PAYLOADS)[number];
}

/** What is added to TS.Recent for a segment's TSval; null is a segment without the option. */
export const STAMPS = [-1, 0, 1, null] as const;

/** A segment of a class with a timestamp. */
export interface StampedCell extends SegmentCell {
  readonly stamp: (typeof STAMPS)[number];
}

/** Segments for PAWS (RFC 7323 section 5) and RFC 6191: a class on each edge of the window, by timestamps. */
export function stampedSegmentsOf(kind: SegmentClass): StampedCell[] {
  return EDGES.flatMap((windowEdge) =>
    ([0, 1] as const).flatMap((payload) =>
      STAMPS.map((stamp) => ({ ...plainSegmentOf(kind), windowEdge, payload, stamp }))
    )
  );
}

/** One of the 9 user events. */
export type UserEvent = (typeof USER_EVENTS)[number];

/** The 48 classes. */
export const CLASSES: readonly SegmentClass[] = FLAG_SETS.flatMap((flags) =>
  WINDOW_PLACES.flatMap((window) => ACK_PLACES.map((ack) => ({ flags, window, ack })))
);

/** The segments of a class: 9 edges, 3 payloads. */
export function segmentsOf(kind: SegmentClass): SegmentCell[] {
  return EDGES.flatMap((windowEdge) =>
    EDGES.flatMap((ackEdge) =>
      PAYLOADS.map((payload) => ({ ...kind, windowEdge, ackEdge, payload }))
    )
  );
}

/** The segment that stands for its class before and after a call: on the edges, with one byte. */
export function plainSegmentOf(kind: SegmentClass): SegmentCell {
  return { ...kind, windowEdge: 0, ackEdge: 0, payload: 1 };
}

/**
 * Why a class of segments does not exist in a state, or null if it does.
 *
 * @returns A reason; cells that share a reason would all be copies of one that is counted.
 */
export function impossibleSegment({ state, again }: Standing, kind: SegmentClass): string | null {
  if (state === "CLOSED" || state === "LISTEN") {
    if (kind.window === "right") return "nothing was received, so there is no window";
    if (kind.ack !== "SND.UNA") {
      return "nothing was sent, so no acknowledgment differs from another";
    }
    return null;
  }
  if (state === "SYN-SENT") {
    if (kind.window === "right") return "the remote's SYN is missing, so the window has no place";
    if (kind.ack === "oldest") return "no window was ever offered, so MAX.SND.WND is unknown";
    return null;
  }
  if (again === "closed window" && kind.window === "right") return "a closed window has one edge";
  if (again === "let go" && kind.window === "right") return "nobody reads, so the window is closed";
  if ((state === "FIN-WAIT-2" || state === "TIME-WAIT") && kind.ack === "SND.NXT") {
    return "all is acknowledged, so SND.NXT is SND.UNA";
  }
  return null;
}

/** Why a user event does not exist in a state, or null if it does. */
export function impossibleEvent({ state, again }: Standing, event: UserEvent): string | null {
  if (event === "OPEN active" || event === "OPEN passive") return null;
  if (event === "timeout") {
    return state === "CLOSED" || state === "LISTEN" ? "there is no timer" : null;
  }
  if (again === "let go") return "the user has let go of the connection";
  if (state === "SYN-RECEIVED" && again === undefined) {
    return "nobody holds the connection before it is accepted";
  }
  if (state === "LISTEN" && event !== "CLOSE" && event !== "ABORT" && event !== "STATUS") {
    return "a listener stands for any remote socket, and stays";
  }
  return null;
}

/** A segment's name in a report. */
export function nameOf(cell: SegmentCell): string {
  const edge = (n: number): string => n === 0 ? "" : n > 0 ? ` + ${n}` : ` - ${-n}`;
  const place = cell.window === "left" ? "RCV.NXT" : "RCV.NXT+RCV.WND";
  const ack = cell.ack === "oldest" ? "SND.UNA-MAX.SND.WND" : cell.ack;
  return `<${cell.flags}> seq ${place}${edge(cell.windowEdge)}, ` +
    `ack ${ack}${edge(cell.ackEdge)}, payload ${cell.payload}`;
}
