/** S13: a connection is formed once both SYNs are sent and acknowledged, and not before. RFC 9293 section 3.5. */
import { describe, expect, test } from "vitest";
import { STATE_ESTABLISHED, STATE_SYN_SENT } from "../../src/layout/layout.gen.ts";
import { scenario } from "./dsl/scenario.ts";
import { accepted, Hosts } from "./hosts.ts";

describe("S13 fully formed", () => {
  test("`isOpened` is told to each side with the last of the four facts that it can see", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 9);
    hosts.keep(/ S .* ack/);
    const client = hosts.connect("A", "B", 9);
    // Both SYNs are sent; ours is not acknowledged yet.
    expect([client.isOpened, client.state, listener.waiting]).toEqual([false, STATE_SYN_SENT, 0]);
    hosts.keep(/: \. ack/);
    hosts.release();
    // Three of four: the server does not know yet that its SYN arrived.
    expect([client.isOpened, client.state, listener.waiting]).toEqual([true, STATE_ESTABLISHED, 0]);
    hosts.keep(null);
    hosts.release();
    expect(accepted(listener).isOpened).toBe(true);
    expect(hosts.segments().slice(0, 3).map((line) => line.split(": ")[1])).toEqual([
      "S",
      "S ack",
      ". ack 1",
    ]);
  });

  scenario("a first segment with ACK and no SYN is refused, where one listens or not", (on) => {
    for (const words of ["", "+0 listen"]) {
      on.server().script(`
        ${words}
        +0 < P. 1:11(10) ack 77 win 4096
        +0 > R 77:77(0) win 0 <>
        +0 state GONE
      `);
    }
  });

  scenario("one with neither is refused where nobody listens, and dropped where one does", (on) => {
    on.server().script("+0 < P 1:11(10) win 4096\n+0 > R. 0:0(0) ack 11 win 0 <>");
    on.server().script("+0 listen\n+0 < P 1:11(10) win 4096\n+9 nothing\n+0 state GONE");
  });
});
