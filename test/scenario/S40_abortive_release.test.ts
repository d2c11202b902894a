/** S40: a linger time of 0 ends a connection by RST: figure 18.15 of the documents. RFC 9293 section 3.10.5. */
import { describe, expect, test } from "vitest";
import { scenario } from "./dsl/scenario.ts";
import { accepted, Hosts, readText, writeText } from "./hosts.ts";

describe("S40 abortive release", () => {
  scenario("figure 18.15: hello, world and then R 14:14(0), which nothing answers", (on) => {
    on.client({ peerIss: 3_224_959_489 }).script(`
      +0      connect LINGER 0
      +0      > S 0:0(0)
      +.005   < S. 0:0(0) ack 1 win 4096 <mss 1024>
      +0      > . 1:1(0) ack 1
      +4.8264 write 13
      +0      > P. 1:14(13) ack 1
      +.1932  < . 1:1(0) ack 14 win 4096
      +4.5014 close
      +0      > R. 14:14(0) ack 1 win 0
      +0      state GONE
      +500    nothing
    `);
  });

  scenario("what is queued is dropped", (on) => {
    on.established({ win: 1000 }).script(`
      +0   option LINGER 0
      +0   write 5000
      +0   > . 1:1001(1000) ack 1
      +0   close
      +0   > R. 1001:1001(0) ack 1 win 0
      +500 nothing
    `);
  });

  scenario("the receiver of a RST says nothing and forgets", (on) => {
    on.passive().script(`
      +0   < P. 1:14(13) ack 1 win 4096
      +.04 > . 1:1(0) ack 14
      +4.5 < R. 14:14(0) ack 1 win 0
      +0   event CLOSED RESET
      +0   state CLOSED
      +500 nothing
    `);
  });

  test("the peer reads what came before, and then connection reset", () => {
    const hosts = new Hosts();
    const listener = hosts.listen("B", 8888);
    const client = hosts.connect("A", "B", 8888, 1099);
    writeText(client, "hello, world\n");
    hosts.pass();
    const server = accepted(listener);
    expect(readText(server).text).toBe("hello, world\n");
    client.abort();
    hosts.pass();
    expect(() => readText(server)).toThrow("the peer sent RST");
    expect(server.error?.code).toBe("ECONNRESET");
    expect(hosts.segments().filter((line) => / R/.test(line))).toHaveLength(1);
  });
});
