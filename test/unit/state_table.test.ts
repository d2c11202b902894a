/**
 * The table of the state machine against the figure of RFC 9293 section 3.3.2 (figure 5), written out here from the figure
 * and from section 3.10, not from the table.
 */
import { describe, expect, test } from "vitest";
import { CAUSE_COUNT, CAUSE_NAMES, STATE_COUNT, STATE_NAMES } from "../../src/layout/layout.gen.ts";
import { kernelsModule, loadKernels } from "../kernels.ts";

/** No such edge. */
const NONE = 0xff;

/** The eleven states of section 3.3.2 in the order of its list, CLOSED first. */
const STATES = [
  "CLOSED",
  "LISTEN",
  "SYN_SENT",
  "SYN_RECEIVED",
  "ESTABLISHED",
  "FIN_WAIT_1",
  "FIN_WAIT_2",
  "CLOSE_WAIT",
  "CLOSING",
  "LAST_ACK",
  "TIME_WAIT",
] as const;

type State = (typeof STATES)[number];

/** An arrow: from, why, to. */
type Arrow = readonly [from: State, cause: string, to: State];

/** The arrows of the figure, but for that from LISTEN to SYN-SENT by SEND: nobody can write to a listener. */
const FIGURE: readonly Arrow[] = [
  ["CLOSED", "PASSIVE_OPEN", "LISTEN"],
  ["CLOSED", "ACTIVE_OPEN", "SYN_SENT"],
  ["LISTEN", "SYN", "SYN_RECEIVED"],
  ["LISTEN", "CLOSE", "CLOSED"],
  ["SYN_SENT", "SYN", "SYN_RECEIVED"],
  ["SYN_SENT", "SYN_ACK", "ESTABLISHED"],
  ["SYN_SENT", "CLOSE", "CLOSED"],
  ["SYN_RECEIVED", "SYN_ACK", "ESTABLISHED"],
  ["SYN_RECEIVED", "CLOSE", "FIN_WAIT_1"],
  ["ESTABLISHED", "CLOSE", "FIN_WAIT_1"],
  ["ESTABLISHED", "FIN", "CLOSE_WAIT"],
  ["FIN_WAIT_1", "ACK_OF_FIN", "FIN_WAIT_2"],
  ["FIN_WAIT_1", "FIN", "CLOSING"],
  ["FIN_WAIT_2", "FIN", "TIME_WAIT"],
  ["CLOSE_WAIT", "CLOSE", "LAST_ACK"],
  ["CLOSING", "ACK_OF_FIN", "TIME_WAIT"],
  ["LAST_ACK", "ACK_OF_FIN", "CLOSED"],
  ["TIME_WAIT", "TIMEOUT", "CLOSED"],
];

/**
 * What the figure leaves out ("Many details are not included"): section 3.10.5 lets ABORT, 3.10.7 a RST, and 3.8.3 and
 * 3.10.8 a timeout end every state; "return to LISTEN" (note 1) deletes a TCB, because our listener is none.
 */
const ENDS: readonly (readonly [cause: string, from: readonly State[]])[] = [
  ["ABORT", STATES.filter((state) => state !== "CLOSED")],
  ["RST", STATES.filter((state) => state !== "CLOSED")],
  ["TIMEOUT", STATES.filter((state) => state !== "CLOSED")],
  // Section 3.9.2.2; TIME-WAIT has nothing in flight that could be unreachable, a parked SYN has sent nothing.
  [
    "UNREACHABLE",
    STATES.filter((state) => !["CLOSED", "LISTEN", "TIME_WAIT"].includes(state)),
  ],
  // The host's verdict over a parked SYN.
  ["REFUSED", ["LISTEN"]],
];

function expectedEdges(): Map<string, State> {
  const edges = new Map<string, State>();
  for (const [from, cause, to] of FIGURE) edges.set(`${from} ${cause}`, to);
  for (const [cause, states] of ENDS) {
    for (const from of states) edges.set(`${from} ${cause}`, "CLOSED");
  }
  return edges;
}

type Edge = (state: number, cause: number) => number;

function loadEdge(): Edge {
  const { edge } = loadKernels() as unknown as { readonly edge: Edge };
  return edge;
}

const CELLS = STATES.flatMap((state) => CAUSE_NAMES.map((cause) => [state, cause] as const));

describe("the state table", () => {
  const edge = loadEdge();

  test("the states have the order of the RFC's list", () => {
    expect(STATE_NAMES).toEqual(STATES);
    expect(STATES).toHaveLength(STATE_COUNT);
    expect(CAUSE_NAMES).toHaveLength(CAUSE_COUNT);
  });

  test.each(CELLS)("edge() is that of the figure, when %s meets %s", (state, cause) => {
    const to = edge(STATES.indexOf(state), CAUSE_NAMES.indexOf(cause));
    const expected = expectedEdges().get(`${state} ${cause}`);
    expect(to === NONE ? undefined : STATES[to]).toBe(expected);
  });

  test("every arrow of the figure stands on a cause that exists", () => {
    for (const [, cause] of FIGURE) expect(CAUSE_NAMES).toContain(cause);
  });

  test("every state but CLOSED can be reached and left for CLOSED", () => {
    for (const state of STATES.filter((name) => name !== "CLOSED")) {
      const rows = STATES.map((_, from) => CAUSE_NAMES.map((_, cause) => edge(from, cause)));
      expect(rows.flat()).toContain(STATES.indexOf(state));
      expect(rows[STATES.indexOf(state)]).toContain(STATES.indexOf("CLOSED"));
    }
  });

  test("edge() traps, when there is no such state or cause", () => {
    expect(WebAssembly.Module.imports(kernelsModule())).toEqual([]);
    expect(() => loadEdge()(STATE_COUNT, 0)).toThrow(WebAssembly.RuntimeError);
    expect(() => loadEdge()(0, CAUSE_COUNT)).toThrow(WebAssembly.RuntimeError);
  });
});
