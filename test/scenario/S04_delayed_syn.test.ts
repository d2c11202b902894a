/** S04: an old duplicate of a SYN reaches a host that listens, and its sender listens too by now. RFC 9293 section 3.5.1. */
import { expect, test } from "vitest";
import { accepted, Hosts } from "./hosts.ts";

const ONE = 6000;
const OTHER = 7000;

test("S04 the answer draws a RST of the number that it acknowledged, and both listen on", () => {
  const hosts = new Hosts();
  hosts.keep(/A\.6000 > B\.7000: S/);
  const old = hosts.connect("A", "B", OTHER, ONE);
  old.abort();
  old.release();
  hosts.pass();
  hosts.keep(null);
  const atA = hosts.listen("A", ONE);
  const atB = hosts.listen("B", OTHER);
  hosts.absolute();
  hosts.release();
  const [synAck = "", reset = "", ...more] = hosts.absolute();
  const acknowledged = / ack (\d+) /.exec(synAck)?.[1];
  expect(synAck).toMatch(/^B\.7000 > A\.6000: S /);
  expect(reset).toBe(`A.6000 > B.7000: R ${acknowledged}:${acknowledged}(0) win 0`);
  expect(more).toEqual([]);
  expect([atA.waiting, atB.waiting]).toEqual([0, 0]);
  expect(hosts.at("A").manager.rows()).toEqual([]);
  expect(hosts.at("B").manager.rows()).toEqual([]);
  // Both are in LISTEN: each takes a real connection of the other.
  hosts.connect("A", "B", OTHER);
  hosts.connect("B", "A", ONE);
  expect(accepted(atB).isOpened && accepted(atA).isOpened).toBe(true);
});
