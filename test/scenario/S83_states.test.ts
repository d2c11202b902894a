/** S83: a connection goes through the eleven states of the figure, and the picture marks the one that it is in. */
import { describe, expect } from "vitest";
import { STATE_NAMES } from "../../src/layout/layout.gen.ts";
import { stateDiagram } from "../../src/layout/state_diagram.ts";
import { type Fixtures, scenario } from "./dsl/scenario.ts";
import { REACH } from "./dsl/states.ts";

/** The state that a picture marks. */
function marked(svg: string): string | undefined {
  return /state current"[^]*?<text[^>]*>([A-Z0-9-]+)<\/text>/.exec(svg)?.[1];
}

/** The state of a world's connection, as the picture shows it. */
function shown(session: ReturnType<Fixtures["client"]>): string | undefined {
  // Where there is no connection, the figure's is CLOSED.
  return marked(stateDiagram(session.state === "GONE" ? "CLOSED" : session.state));
}

const OPENING = "+0 connect\n+0 > S 0:0(0)";

describe("S83 the state diagram of a live connection", () => {
  scenario("each of the eleven states is reached and marked", (on) => {
    const found: (string | undefined)[] = [];
    const client = on.client();
    found.push(shown(client));
    client.script(OPENING);
    found.push(shown(client));
    client.script("+0 < S 0:0(0) win 20000 <mss 1000>\n+0 > S. 0:0(0) ack 1");
    found.push(shown(client));
    for (const { script } of Object.values(REACH)) {
      found.push(shown(on.established().script(script)));
    }
    // A listener has no TCB; a SYN to it makes one in SYN-RECEIVED, and a RST brings LISTEN back.
    const server = on.server().script("+0 listen");
    found.push(marked(stateDiagram("LISTEN")));
    server.script("+0 < S 0:0(0) win 20000 <mss 1000>\n+0 > S. 0:0(0) ack 1");
    expect(shown(server)).toBe("SYN-RECEIVED");
    const names = STATE_NAMES.map((name) => name.replaceAll("_", "-"));
    expect([...new Set(found)].sort()).toEqual([...names].sort());
  });

  scenario("an active close walks the left side of the figure, a passive one the right", (on) => {
    const active = on.established();
    const left = ["+0 closeWrite\n+0 > F. 1:1(0) ack 1", "+0 < . 1:1(0) ack 2 win 20000"].map((
      words,
    ) => shown(active.script(words)));
    left.push(shown(active.script("+0 < F. 1:1(0) ack 2 win 20000\n+0 > . 2:2(0) ack 2")));
    left.push(shown(active.script("+0 close\n+61 nothing")));
    expect(left).toEqual(["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED"]);
    const passive = on.established();
    const right = [
      "+0 < F. 1:1(0) ack 1 win 20000\n+0 > . 1:1(0) ack 2",
      "+0 closeWrite\n+0 > F. 1:1(0) ack 2",
      "+0 < . 2:2(0) ack 2 win 20000",
    ].map((words) => shown(passive.script(words)));
    expect(right).toEqual(["CLOSE-WAIT", "LAST-ACK", "CLOSED"]);
  });
});
