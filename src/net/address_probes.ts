/** Asks whether an address is in use before it is taken. Source: RFC 5227 section 2.1. */
import type { Clock, Timer } from "../runtime/clock.ts";
import type { ArpPacket } from "../wire/arp.ts";

/** Probes sent. Deviation: RFC 5227 sends three over some seconds; a page that starts should not wait that long. */
export const PROBES = 2;
/** Time between probes and after the last one, ms. */
export const PROBE_INTERVAL_MS = 200;
/** Addresses probed at one time. Full: the address is taken to be free, as if nobody had asked. */
const PROBES_MAX = 16;

interface Probe {
  readonly address: number;
  readonly callback: (inUse: boolean) => void;
  sent: number;
  timer: Timer | null;
}

/** The probes under way. */
export class AddressProbes {
  readonly #clock: Clock;
  readonly #send: (address: number) => void;
  readonly #probes: Set<Probe> = new Set();

  /** @param send Sends one ARP probe for an address. */
  constructor(clock: Clock, send: (address: number) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /**
   * Begins to probe.
   *
   * @param address u32.
   * @param callback Told once, never within this call; not after `cancel()`.
   */
  start(address: number, callback: (inUse: boolean) => void): Timer {
    const probe: Probe = { address, callback, sent: 0, timer: null };
    if (this.#probes.size >= PROBES_MAX) {
      return this.#clock.at(this.#clock.now(), () => callback(false));
    }
    this.#probes.add(probe);
    this.#step(probe);
    return { cancel: () => this.#remove(probe) };
  }

  /** Hears every ARP packet of others: one from the address, or another's probe for it, is a conflict. */
  heard(arp: ArpPacket): void {
    for (const probe of [...this.#probes]) {
      const isRival = arp.senderAddress === 0 && arp.targetAddress === probe.address;
      if (arp.senderAddress === probe.address || isRival) this.#finish(probe, true);
    }
  }

  /** Ends all probes without a word. */
  close(): void {
    for (const probe of [...this.#probes]) this.#remove(probe);
  }

  #step(probe: Probe): void {
    if (probe.sent >= PROBES) return this.#finish(probe, false);
    probe.sent++;
    this.#send(probe.address);
    const atMs = this.#clock.now() + PROBE_INTERVAL_MS;
    probe.timer = this.#clock.at(atMs, () => this.#step(probe));
  }

  #finish(probe: Probe, inUse: boolean): void {
    if (!this.#probes.has(probe)) return;
    this.#remove(probe);
    probe.callback(inUse);
  }

  #remove(probe: Probe): void {
    probe.timer?.cancel();
    this.#probes.delete(probe);
  }
}
