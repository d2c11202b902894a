/**
 * The same random life of a connection over two links, one of which cuts super-segments: what is on the wire is the same,
 * segment by segment and ms by ms. No ACK covers more than eight segments: of more, slow start makes more where there are
 * super-segments. docs/adr/0019.
 */
import { describe, expect, test } from "vitest";
import {
  CONGESTION_CUBIC,
  CONGESTION_NEW_RENO,
  OFFLOAD_ECN,
  OFFLOAD_TCP4,
  OPTION_CORK,
  OPTION_NO_DELAY,
} from "../../src/layout/layout.gen.ts";
import { type TestRandom, testRandom } from "../random.ts";
import { type FixtureOptions, Fixtures, PROBES } from "./dsl/scenario.ts";
import { parseScript } from "./dsl/parser.ts";
import type { Session } from "./dsl/session.ts";

const SEEDS = 150;
const SEEDS_PER_TEST = 50;
const STEPS = 60;
const MSS = 1000;
/** What a router may name, bytes: IP packets of 700 and more, and so an MSS of 660. */
const MTU_MIN = 700;
const ACKED_MAX = 8 * (MTU_MIN - 40);
const WRITE_MAX = 20_000;
const SYNS = [`mss ${MSS}`, `mss ${MSS},nop,nop,sackOK`, `mss ${MSS},nop,nop,sackOK,nop,wscale 2`];

/** What the peer knows. */
interface Peer {
  /** What it has acknowledged, and the number after the highest that it has seen. */
  una: number;
  top: number;
  isClosed: boolean;
}

/** What was sent since this was last asked for. */
function sent(session: Session, peer: Peer): string[] {
  return session.world.emitted.splice(0).map(({ at, shown, wire }) => {
    peer.top = Math.max(peer.top, shown.seq + shown.bytes + (shown.flags & 1));
    return `${at} ${shown.flags} ${wire.ecn} ${shown.seq}:${shown.bytes} ${shown.urg}`;
  });
}

/** An ACK of the peer: of all or a part, with a window, and perhaps with a block that it holds. */
function drawAck(random: TestRandom, peer: Peer, hasSack: boolean): string {
  const most = Math.min(peer.top - peer.una, ACKED_MAX);
  const wish = random.below(4);
  if (wish === 1) peer.una += most;
  else if (wish === 2) peer.una += Math.floor(random.below(most + 1) / MSS) * MSS;
  else if (wish === 3) peer.una += random.below(most + 1);
  const win = random.below(6) === 0 ? random.below(3000) : 12_000 + random.below(8000);
  const above = peer.top - peer.una;
  let options = "";
  if (hasSack && above > 2 * MSS && random.below(2) === 0) {
    const start = peer.una + MSS * (1 + random.below(Math.floor(above / MSS) - 1));
    const end = Math.min(peer.top, start + MSS * (1 + random.below(3)));
    options = `<nop,nop,sack ${start}:${end}>`;
  }
  return `+0 < . 1:1(0) ack ${peer.una} win ${win} ${options}`;
}

/** A call of the user's, or a complaint of a router. */
function drawCall(random: TestRandom, peer: Peer): (session: Session) => void {
  const kind = random.below(8);
  const option = kind < 4 ? OPTION_NO_DELAY : OPTION_CORK;
  if (kind < 6) {
    return ({ world, handle }) => {
      world.core.setOption(handle, option, kind % 2, world.now);
      world.settle();
    };
  }
  if (kind === 6) {
    const mtu = MTU_MIN + random.below(300);
    const quoted = { seq: peer.una, bytes: MSS };
    return ({ world, flow }) => void world.tooBig(flow, quoted, mtu);
  }
  peer.isClosed ||= random.below(4) === 0;
  const { isClosed } = peer;
  return ({ world, handle }) => {
    if (isClosed) world.core.closeWrite(handle, world.now);
    world.settle();
  };
}

/** One step of a life, for either. */
function drawStep(random: TestRandom, peer: Peer, hasSack: boolean): (session: Session) => void {
  const kind = random.below(16);
  if (kind < 4 && !peer.isClosed) {
    const text = new Uint8Array(random.below(random.below(2) === 0 ? 2 * MSS : WRITE_MAX));
    return ({ world, handle }) => {
      world.core.send(handle, text, world.now);
      world.settle();
    };
  }
  if (kind < 10) {
    const [line] = parseScript(drawAck(random, peer, hasSack));
    return ({ world, flow }) => {
      if (line?.event.kind === "inject") world.inject(flow, line.event.packet);
    };
  }
  if (kind === 15) return drawCall(random, peer);
  const ms = random.below(random.below(6) === 0 ? 1500 : 40);
  return ({ world }) => world.runTo(world.elapsed + ms);
}

/** Lives one life on both links. @returns Records of each. */
function live(seed: number): [plain: number, cut: number] {
  const random = testRandom(seed);
  const syn = SYNS[random.below(SYNS.length)] ?? "";
  const options: FixtureOptions = {
    ...(random.below(2) === 0 ? PROBES : {}),
    syn,
    congestionControl: random.below(2) === 0 ? CONGESTION_CUBIC : CONGESTION_NEW_RENO,
    win: 20_000,
    rtt: 0.02,
  };
  const fixtures = new Fixtures("our ISS wraps");
  const plain = fixtures.established(options);
  const cut = fixtures.established({ ...options, offload: OFFLOAD_TCP4 | OFFLOAD_ECN });
  const peer: Peer = { una: 1, top: 1, isClosed: false };
  for (let i = 0; i < STEPS && plain.state !== "GONE"; i++) {
    const step = drawStep(random, peer, syn.includes("sackOK"));
    for (const session of [plain, cut]) step(session);
    const expected = sent(plain, peer);
    expect(sent(cut, peer), `seed ${seed}, step ${i}`).toEqual(expected);
  }
  return [plain.world.records.length, cut.world.records.length];
}

describe("two links, one of which cuts", () => {
  for (let first = 0; first < SEEDS; first += SEEDS_PER_TEST) {
    test(`carry the same segments, seeds ${first} to ${first + SEEDS_PER_TEST - 1}`, () => {
      let saved = 0;
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed++) {
        const [plain, cut] = live(seed);
        saved += plain - cut;
      }
      // Else nothing was tried.
      expect(saved).toBeGreaterThan(100);
    });
  }
});
