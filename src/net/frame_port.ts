/** What the loop gives the network services: a way to send a frame, to name a next hop, time and chance. */
import type { IpAddress } from "../core/info_view.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";

export interface FramePort {
  readonly clock: Clock;
  readonly random: Random;
  /** Our MAC address, 6 bytes. */
  readonly mac: Uint8Array;
  /** Largest IP packet of the link, bytes. */
  readonly mtu: number;
  /**
   * Queues an Ethernet frame for the next flush, which follows by itself.
   *
   * @param frame From the destination MAC on, without checksum of the link; copied.
   * @returns False if the reply region was full: the frame is dropped and counted.
   */
  sendFrame(frame: Uint8Array): boolean;
  /**
   * Gives the core a frame as if it had come by the link, after what is being received: a packet that came in fragments.
   *
   * @param frame From the destination MAC on, checksums complete; kept until then.
   */
  inject(frame: Uint8Array): void;
  /** Slots that some connection of the core sends through. */
  usedHops(): ReadonlySet<number>;
  /** Tells the core the largest packet of connections to come, bytes: less than the link's where the network says so. */
  setMtu(bytes: number): void;
  /** Names a next hop that is ourselves: frames to it come back to the core. @param slot 1 to HOPS_MAX - 1. */
  loopBack(slot: number): void;
  /** Runs a function in a task of its own, soon; never within this call. */
  later(callback: () => void): void;
  /**
   * Tells the core the MAC of a next hop, or that it is not known (null): segments wait then.
   *
   * @param slot 1 to HOPS_MAX - 1.
   */
  setNextHop(slot: number, mac: Uint8Array | null): void;
  /** Tells the core one of our addresses, or (with null) frees the index. @param index 0 to ADDRESSES_MAX - 1 */
  setAddress(index: number, address: IpAddress | null, broadcast: number): void;
  /**
   * Hands the quoted packet of an ICMP error to the core, which checks that it is one of ours.
   *
   * @param quoted IP header and at least 8 bytes of what followed.
   */
  icmpError(type: number, code: number, mtu: number, quoted: Uint8Array): void;
}
