/** IPv6 below TCP: RFC 8200 (header and extension headers), RFC 4291 (addresses). Every other scenario runs by IPv6 too. */
import { describe, expect } from "vitest";
import { PUNT_IPV6 } from "../../src/layout/layout.gen.ts";
import { scenario, scenarioV6 } from "./dsl/scenario.ts";
import type { Session } from "./dsl/session.ts";
import { buildFrame, FLAG_SYN } from "./dsl/wire.ts";

const IPV6_END = 14 + 40;
const NEXT_HEADER_AT = 14 + 6;
const SOURCE_AT = 14 + 8;
const DESTINATION_AT = 14 + 24;
const TCP = 6;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
/** PadN that fills an options header of 8 bytes. */
const PAD = [1, 4, 0, 0, 0, 0];

/** The peer's SYN, with extension headers before it: each a kind and what follows its first byte. */
function syn(on: Session, ...extensions: (readonly [kind: number, rest: readonly number[]])[]) {
  const frame = buildFrame({
    source: on.flow.remote,
    destination: on.flow.local,
    ecn: 0,
    flags: FLAG_SYN,
    seq: on.flow.remoteIsn,
    ack: 0,
    win: 20_000,
    urg: 0,
    options: [],
    payload: new Uint8Array(0),
  }, false);
  const kinds = [...extensions.map(([kind]) => kind), TCP];
  const headers = extensions.flatMap(([, rest], i) => [kinds[i + 1] ?? TCP, ...rest]);
  const bytes = Uint8Array.from([
    ...frame.subarray(0, IPV6_END),
    ...headers,
    ...frame.subarray(IPV6_END),
  ]);
  bytes[NEXT_HEADER_AT] = kinds[0] ?? TCP;
  new DataView(bytes.buffer).setUint16(14 + 4, bytes.length - IPV6_END);
  return bytes;
}

/** A listening world that is sent one frame. */
function sent(on: Session, frame: (on: Session) => Uint8Array): Session {
  on.script("+0 listen");
  on.world.injectFrame(frame(on));
  return on;
}

const ANSWERED = "+0 > S. 0:0(0) ack 1 win 65535";

describe("RFC 8200 section 4: extension headers", () => {
  scenarioV6("a segment is taken, when nothing stands before it", (on) => {
    sent(on.server(), (s) => syn(s)).script(ANSWERED);
  });

  scenarioV6("hop-by-hop and destination options are skipped", (on) => {
    const frame = (s: Session) =>
      syn(s, [HOP_BY_HOP, [0, ...PAD]], [DESTINATION_OPTIONS, [1, ...PAD, 1, 6, 0, 0, 0, 0, 0, 0]]);
    sent(on.server(), frame).script(ANSWERED);
  });

  scenarioV6("a routing header without segments left is skipped (section 4.4)", (on) => {
    sent(on.server(), (s) => syn(s, [ROUTING, [0, 0, 0, 0, 0, 0, 0]])).script(ANSWERED);
  });

  scenarioV6("an unknown option of the kind 00 is skipped (8200-5)", (on) => {
    const frame = (s: Session) => syn(s, [DESTINATION_OPTIONS, [0, 0x1e, 4, 0, 0, 0, 0]]);
    sent(on.server(), frame).script(ANSWERED);
  });

  scenarioV6("an unknown option of the kind 01 drops the packet (8200-5)", (on) => {
    const frame = (s: Session) => syn(s, [DESTINATION_OPTIONS, [0, 0x5e, 4, 0, 0, 0, 0]]);
    const session = sent(on.server(), frame).script("+0 nothing\n+0 drops IPV6_HEADER = 1");
    expect(session.world.core.puntCount).toBe(0);
  });

  const punted: [string, number, readonly number[]][] = [
    ["an unknown option of the kind 10", DESTINATION_OPTIONS, [0, 0x9e, 4, 0, 0, 0, 0]],
    ["an unknown option of the kind 11", DESTINATION_OPTIONS, [0, 0xde, 4, 0, 0, 0, 0]],
    ["a fragment header", FRAGMENT, [0, 0, 0, 0, 0, 0, 7]],
    ["a routing header with segments left", ROUTING, [0, 0, 1, 0, 0, 0, 0]],
    ["a header that nobody knows", 253, [0, ...PAD]],
  ];
  for (const [what, kind, rest] of punted) {
    scenarioV6(`${what} is left to the host`, (on) => {
      const session = sent(on.server(), (s) => syn(s, [kind, rest])).script("+0 nothing");
      expect(session.world.core.puntCount).toBe(1);
      expect(session.world.core.puntKind(0)).toBe(PUNT_IPV6);
    });
  }

  scenarioV6("hop-by-hop options anywhere but first are left to the host", (on) => {
    const frame = (s: Session) =>
      syn(s, [DESTINATION_OPTIONS, [0, ...PAD]], [HOP_BY_HOP, [0, ...PAD]]);
    const session = sent(on.server(), frame).script("+0 nothing");
    expect(session.world.core.puntCount).toBe(1);
  });

  scenarioV6("a header that is longer than the packet is dropped", (on) => {
    const frame = (s: Session) => syn(s, [DESTINATION_OPTIONS, [200, ...PAD]]);
    sent(on.server(), frame).script("+0 nothing\n+0 drops IPV6_HEADER = 1");
  });

  scenarioV6("an option that is longer than its header is dropped", (on) => {
    const frame = (s: Session) => syn(s, [DESTINATION_OPTIONS, [0, 1, 5, 0, 0, 0, 0]]);
    sent(on.server(), frame).script("+0 nothing\n+0 drops IPV6_HEADER = 1");
  });
});

describe("RFC 4291: addresses", () => {
  /** The SYN with other addresses; its checksum does not matter, since it is dropped before. */
  const with16 = (at: number, address: readonly number[]) => (s: Session) => {
    const frame = syn(s);
    frame.set([...address, ...new Array<number>(16).fill(0)].slice(0, 16), at);
    return frame;
  };
  const loopback = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
  const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
  const impossible: [string, number, readonly number[]][] = [
    ["from a multicast address (section 2.7)", SOURCE_AT, [0xff, 2]],
    ["from ::1 (section 2.5.3)", SOURCE_AT, loopback],
    ["from :: (section 2.5.2)", SOURCE_AT, []],
    ["from a mapped address, which stands for IPv4", SOURCE_AT, mapped],
    ["to ::1", DESTINATION_AT, loopback],
    ["to ::", DESTINATION_AT, []],
    ["to a mapped address", DESTINATION_AT, mapped],
  ];
  for (const [what, at, address] of impossible) {
    scenarioV6(`a segment ${what} is dropped`, (on) => {
      sent(on.server(), with16(at, address)).script("+0 nothing\n+0 drops IP_ADDRESS = 1");
    });
  }

  scenarioV6("a segment to an address of somebody else is dropped", (on) => {
    sent(on.server(), with16(DESTINATION_AT, [0x20, 1])).script(
      "+0 nothing\n+0 drops NOT_OUR_IP = 1",
    );
  });

  scenarioV6("what is no TCP goes to the host, if it was sent to a group", (on) => {
    const frame = (s: Session) => {
      const bytes = with16(DESTINATION_AT, [0xff, 2])(s);
      bytes[NEXT_HEADER_AT] = 58;
      return bytes;
    };
    const session = sent(on.server(), frame).script("+0 nothing");
    expect(session.world.core.puntKind(0)).toBe(PUNT_IPV6);
  });
});

describe("a listener", () => {
  scenario("for any address takes what comes by either family", (on) => {
    on.passive().script("+0 write 10\n+0 > P. 1:11(10) ack 1");
  });
});
