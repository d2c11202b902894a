/** A deadline that has passed and that nothing will ever take away lets a host spin for ever. */
import { expect, test } from "vitest";
import { ADDRESS_A, ADDRESS_B, HOP, TwoCores } from "../../src/bench/two_cores.ts";
import {
  BATCH_BYTES,
  EVENT_ACCEPTABLE,
  OPTION_MAX_PACING_RATE,
} from "../../src/layout/layout.gen.ts";
import { coreUnderTest } from "../core_under_test.ts";

const PORT = 9;

test("who waited for its pace leaves no deadline behind, when a reset ends its connection", () => {
  const cores = new TwoCores(coreUnderTest());
  const { a, b, now } = cores;
  b.listen({ address: 0, port: PORT }, 1, 0);
  const remote = { address: ADDRESS_B, port: PORT };
  const handle = a.connect({ address: ADDRESS_A, port: 1024 }, remote, HOP, now);
  for (let i = 0; i < 3; i++) {
    cores.toB();
    cores.toA();
  }
  let peer = -1;
  for (let i = b.takeEvents() - 1; i >= 0; i--) {
    if ((b.eventBits(i) & EVENT_ACCEPTABLE) !== 0) peer = b.eventHandle(i);
  }
  b.accepted(peer);
  a.setOption(handle, OPTION_MAX_PACING_RATE, 100_000, now);
  a.send(handle, new Uint8Array(20_000), now);
  a.flush(BATCH_BYTES, now);
  expect(a.nextDeadline()).toBeLessThan(Infinity);
  b.abort(peer, now);
  a.ingest(b.flush(BATCH_BYTES, now).slice(), now);
  a.takeEvents();
  a.release(handle, now);
  expect(a.isOwing).toBe(false);
  expect(a.nextDeadline()).toBe(Infinity);
});
