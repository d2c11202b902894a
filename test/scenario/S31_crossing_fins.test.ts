/** S31: both close at once: figure 18.19 of the documents, at both ends. RFC 9293 section 3.6, figure 13. */
import { expect, test } from "vitest";
import { STATE_FIN_WAIT_1, STATE_TIME_WAIT } from "../../src/layout/layout.gen.ts";
import { accepted, Hosts } from "./hosts.ts";

test("S31 FIN-WAIT-1, CLOSING, TIME-WAIT at both ends, with as many segments as ever", () => {
  const hosts = new Hosts();
  const listener = hosts.listen("B", 7);
  const [a, b] = [hosts.connect("A", "B", 7, 1024), accepted(listener)];
  hosts.segments();
  a.shutdown("write");
  b.shutdown("write");
  // A frame takes 2 ms: both FINs are on the way.
  hosts.pass(1);
  expect([a.info().state, b.info().state]).toEqual(["FIN-WAIT-1", "FIN-WAIT-1"]);
  hosts.keep(/: \. ack/);
  hosts.pass();
  expect([a.info().state, b.info().state]).toEqual(["CLOSING", "CLOSING"]);
  hosts.keep(null);
  hosts.release();
  expect([a.state, b.state]).toEqual([STATE_TIME_WAIT, STATE_TIME_WAIT]);
  expect(a.state).not.toBe(STATE_FIN_WAIT_1);
  expect(hosts.segments().sort()).toEqual([
    "A.1024 > B.7: . ack 2",
    "A.1024 > B.7: F 1:1(0) ack 1",
    "B.7 > A.1024: . ack 2",
    "B.7 > A.1024: F 1:1(0) ack 1",
  ]);
  a.release();
  b.release();
  expect([hosts.at("A").core.timeWaits(), hosts.at("B").core.timeWaits()]).toEqual([1, 1]);
  hosts.pass(61_000);
  expect([hosts.at("A").core.timeWaits(), hosts.at("B").core.timeWaits()]).toEqual([0, 0]);
});
