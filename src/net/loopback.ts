/**
 * Packets of the host's from us to us, of both families: they leave by no link. RFC 1122 section 3.2.1.3 (g), RFC 4291 section
 * 2.5.3; groups' members here hear what we send: RFC 1112 section 6.1.
 */
import { HOPS_MAX } from "../layout/layout.gen.ts";
import type { FramePort } from "./frame_port.ts";

/** The core's slot of the next hop that is ourselves: the last one. */
export const LOOPBACK_HOP: number = HOPS_MAX - 1;
/** Packets that may wait, bytes. Full: further ones are dropped, counted. */
export const LOOPBACK_BYTES_MAX = 1_048_576;

/** What it needs of its interface. */
export interface LoopbackOptions {
  readonly port: FramePort;
  /** Takes a packet as if it had come. */
  readonly deliver: (packet: Uint8Array) => void;
  /** Counts a packet that is not sent. @returns False. */
  readonly dropSent: (reason: string) => false;
}

/** The loopback of one interface. */
export class Loopback {
  readonly #options: LoopbackOptions;
  #packets: Uint8Array[] = [];
  #bytes = 0;
  #isComing = false;
  #hasHop = false;

  constructor(options: LoopbackOptions) {
    this.#options = options;
  }

  /** The core's next hop for segments to ourselves. */
  hop(): number {
    const { port } = this.#options;
    if (!this.#hasHop) port.loopBack(LOOPBACK_HOP);
    this.#hasHop = true;
    return LOOPBACK_HOP;
  }

  /**
   * Takes a packet; it arrives after this call, in a task of its own.
   *
   * @param packet Kept.
   * @returns False if there was no room.
   */
  take(packet: Uint8Array): boolean {
    if (this.#bytes + packet.length > LOOPBACK_BYTES_MAX) {
      return this.#options.dropSent("SEND_FULL");
    }
    this.#packets.push(packet);
    this.#bytes += packet.length;
    if (this.#isComing) return true;
    this.#isComing = true;
    this.#options.port.later(() => this.#run());
    return true;
  }

  /** Drops what waits. */
  clear(): void {
    this.#packets = [];
    this.#bytes = 0;
  }

  /** What these packets cause comes in the next task. */
  #run(): void {
    this.#isComing = false;
    const packets = this.#packets;
    this.clear();
    for (const packet of packets) this.#options.deliver(packet);
  }
}
