/**
 * A script at work: the connection at hand, and the events one after the other. A segment that nobody expected fails at
 * the next `>`, at `nothing`, or at the end of the script.
 */
import { STATE_CLOSED, STATE_NAMES } from "../../../src/layout/layout.gen.ts";
import { differences, formatEmission } from "./compare.ts";
import type { Flow } from "./flow.ts";
import { formatSegment, formatTime } from "./format.ts";
import { parseScript } from "./parser.ts";
import type { EndpointSpec, PacketSpec, TimedEvent } from "./syntax.ts";
import type { Endpoint } from "./wire.ts";
import { WORDS } from "./words.ts";
import type { Emission, World } from "./world.ts";

/** Deadlines that are tried to find out whether a missing segment is only late. */
const LATE_TRIES = 20;

/** A script that was not kept, with what was expected, what came and the packets before. */
export class ScriptFailure extends Error {
  override readonly name = "ScriptFailure";
}

/** Runs scripts in one world. */
export class Session {
  readonly world: World;
  /** The connection that packets and words without a name mean. */
  flow: Flow;
  /** Of the last `listen`. */
  listener: number | null = null;

  constructor(world: World, local: Endpoint, remote: Endpoint) {
    this.world = world;
    this.flow = world.flow(local, remote);
  }

  /** Ms since the world was made. */
  get elapsed(): number {
    return this.world.elapsed;
  }

  /** ISS of the connection at hand; 0 before its SYN. */
  get iss(): number {
    return this.flow.localIsn ?? 0;
  }

  /** Handle of the connection at hand. */
  get handle(): number {
    if (this.flow.handle === null) throw new Error("The connection at hand has no handle");
    return this.flow.handle;
  }

  /** Slot of its TCB, the newest if one that is CLOSED still has a handle; null if there is none. */
  get slot(): number | null {
    const { tcbs } = this.world.core;
    let found: number | null = null;
    for (let slot = 0; slot < tcbs.slots; slot++) {
      if (!tcbs.isUsed(slot) || tcbs.localPort(slot) !== this.flow.local.port) continue;
      if (tcbs.remotePort(slot) !== this.flow.remote.port) continue;
      if (found === null || tcbs.state(found) === STATE_CLOSED) found = slot;
    }
    return found;
  }

  /** Its state, or GONE when the core has no TCB of it. */
  get state(): string {
    const { slot } = this;
    if (slot === null) return "GONE";
    return (STATE_NAMES[this.world.core.tcbs.state(slot)] ?? "").replaceAll("_", "-");
  }

  /**
   * Runs a script.
   *
   * @param text Events; see `parser.ts` for packets and `words.ts` for the words of the host.
   * @returns This, for the next one.
   * @throws {ScriptFailure} At the first event that is not kept.
   */
  script(text: string): this {
    for (const event of parseScript(text)) this.#run(event);
    this.finish();
    return this;
  }

  /** @throws {ScriptFailure} If something was emitted that nobody expected. */
  finish(): void {
    const [extra] = this.world.emitted;
    if (extra === undefined) return;
    throw this.#failure("End of the script", "nothing more", formatEmission(extra), []);
  }

  /** The emission that was taken last, to be looked at. */
  seen: Emission | null = null;

  /** The next emission, if there is one; it no longer waits to be expected. */
  take(): string | null {
    const emission = this.world.emitted.shift();
    this.seen = emission ?? null;
    return emission === undefined ? null : formatEmission(emission);
  }

  #run(timed: TimedEvent): void {
    const { when, line, text, event } = timed;
    const place = `Line ${line}: ${text}`;
    const at = when.ms + (when.from === "previous" ? this.elapsed : 0);
    if (at < this.elapsed) {
      throw this.#failure(place, `a time from ${formatTime(this.elapsed)} on`, formatTime(at), []);
    }
    this.world.runTo(at);
    if (event.kind === "inject") {
      const { source, destination } = event.packet;
      this.world.inject(this.#flowOf(destination, source), event.packet);
    } else if (event.kind === "expect") {
      this.#expect(place, at, event.packet);
    } else {
      this.#word(place, event.name, event.args, event.result);
    }
  }

  #flowOf(local: EndpointSpec | null, remote: EndpointSpec | null): Flow {
    if (local === null && remote === null) return this.flow;
    const end = (given: EndpointSpec | null, usual: Endpoint): Endpoint =>
      given === null ? usual : {
        address: given.address === null ? usual.address : this.world.address(given.address),
        port: given.port,
      };
    return this.world.flow(end(local, this.flow.local), end(remote, this.flow.remote));
  }

  #expect(place: string, at: number, packet: PacketSpec): void {
    const expected = `${formatTime(at)} > ${formatSegment(packet)}`;
    const emission = this.world.emitted.shift();
    if (emission === undefined) throw this.#failure(place, expected, this.#later(), []);
    const flow = this.#flowOf(packet.source, packet.destination);
    const found = differences(at, packet, emission);
    if (emission.flow !== flow) {
      found.unshift(`ends: expected ${nameOf(flow)}, actual ${nameOf(emission.flow)}`);
    }
    if (found.length > 0) throw this.#failure(place, expected, formatEmission(emission), found);
  }

  /** What comes instead of a segment that is missing: the failure shall say whether it is late. */
  #later(): string {
    for (let i = 0; i < LATE_TRIES; i++) {
      if (!this.world.runToNext()) break;
      const [late] = this.world.emitted;
      if (late !== undefined) return `nothing; the next is ${formatEmission(late)}`;
    }
    return "nothing";
  }

  #word(
    place: string,
    name: string,
    args: readonly (string | number)[],
    result: string | null,
  ): void {
    const word = WORDS[name];
    if (word === undefined) {
      throw this.#failure(place, `one of ${Object.keys(WORDS).join(", ")}`, name, []);
    }
    const outcome = word(this, args);
    const expected = result ?? outcome.usual;
    if (outcome.actual === expected) return;
    throw this.#failure(place, `${name} = ${expected}`, outcome.actual, []);
  }

  #failure(
    place: string,
    expected: string,
    actual: string,
    found: readonly string[],
  ): ScriptFailure {
    return new ScriptFailure([
      place,
      `expected  ${expected}`,
      `actual    ${actual}`,
      ...found.map((difference) => `          ${difference}`),
      "the last packets, times and numbers relative:",
      ...this.world.trace.map((packet) => `  ${packet}`),
    ].join("\n"));
  }
}

function nameOf({ local, remote }: Flow): string {
  return `${local.port} > ${remote.port}`;
}
