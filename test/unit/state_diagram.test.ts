/** The picture of the state machine shows the table, whole. */
import { describe, expect, test } from "vitest";
import { CAUSE_NAMES, STATE_NAMES } from "../../src/layout/layout.gen.ts";
import { FIGURE, TRANSITIONS } from "../../src/layout/schema_transitions.ts";
import { stateDiagram } from "../../src/layout/state_diagram.ts";

/** How often a text occurs. */
function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe("S83: the state diagram", () => {
  test("shows the eleven states, and CLOSED again where connections end", () => {
    const svg = stateDiagram();
    for (const state of STATE_NAMES) {
      const name = state.replaceAll("_", "-");
      expect(occurrences(svg, `>${name}</text>`), name).toBe(state === "CLOSED" ? 2 : 1);
    }
  });

  test("has an arrow for each of the figure's, and one for the end of TIME-WAIT", () => {
    expect(occurrences(stateDiagram(), '<line class="arrow"')).toBe(FIGURE.length + 1);
    expect(occurrences(stateDiagram(), '<text class="cause')).toBe(FIGURE.length + 1);
  });

  test("names every other cause that ends a state in its box", () => {
    const svg = stateDiagram();
    const others = TRANSITIONS.length - FIGURE.length - 1;
    const told = [...svg.matchAll(/✕ ([A-Z_, ]+)<\/text>/g)].flatMap(([, causes]) =>
      (causes ?? "").split(", ")
    );
    expect(told).toHaveLength(others);
    for (const cause of told) expect(CAUSE_NAMES).toContain(cause);
  });

  test("marks the present state, and no other", () => {
    expect(occurrences(stateDiagram(), "state current")).toBe(0);
    const svg = stateDiagram("FIN-WAIT-2");
    expect(occurrences(svg, "state current")).toBe(1);
    expect(svg.indexOf("state current")).toBeLessThan(svg.indexOf(">FIN-WAIT-2<"));
  });

  test("names only states and causes that there are", () => {
    for (const [from, cause, to] of TRANSITIONS) {
      expect(STATE_NAMES).toContain(from);
      expect(CAUSE_NAMES).toContain(cause);
      expect(STATE_NAMES).toContain(to);
    }
  });
});
