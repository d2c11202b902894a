/** What a datagram socket does the same way in this process and behind a worker. */
import { BadResource } from "../errors.ts";
import type { UdpDatagram } from "../udp_options.ts";

/** A `receive()` that waits. */
export interface Waiter {
  readonly into: Uint8Array<ArrayBuffer> | null;
  readonly resolve: (datagram: UdpDatagram) => void;
  readonly reject: (error: unknown) => void;
}

/** Refuses what is no payload. */
export function checkData(data: Uint8Array): void {
  if (data instanceof Uint8Array) return;
  throw new TypeError(`Cannot send a ${typeof data}: expected a Uint8Array`);
}

/** Puts a datagram where its receiver wants it. */
export function placed(datagram: UdpDatagram, into: Uint8Array<ArrayBuffer> | null): UdpDatagram {
  if (into === null) return datagram;
  const data = datagram.data.subarray(0, into.length);
  into.set(data);
  return { ...datagram, data: into.subarray(0, data.length) };
}

/** The error of every call after `close()`. */
export function closedError(): BadResource {
  return new BadResource("Cannot use the UDP socket: it has been closed");
}
