/** What goes into `dgram` sockets and comes out of them. */
import type { Buffer } from "node:buffer";
import type { LookupFunction } from "./lookup.ts";

/** Options of `createSocket()`. */
export interface DatagramSocketOptions {
  /** IPv4 or IPv6. */
  type: "udp4" | "udp6";
  /** Several sockets may have the port, if all of them say so. */
  reuseAddr?: boolean | undefined;
  /** With `"udp6"`: no IPv4. */
  ipv6Only?: boolean | undefined;
  /** Room for datagrams that nobody has received yet, bytes. */
  recvBufferSize?: number | undefined;
  /** Accepted; the stack sends at once or refuses. */
  sendBufferSize?: number | undefined;
  /** Looks names up; default: the stack's. */
  lookup?: LookupFunction | undefined;
  /** Closes it. */
  signal?: AbortSignal | undefined;
}

/** Where to bind. */
export interface DatagramBindOptions {
  /** 0 or absent = any. */
  port?: number | undefined;
  /** Default: all of the family. */
  address?: string | undefined;
}

/** One end. */
export interface DatagramAddress {
  /** IP address. */
  address: string;
  /** `"IPv4"` or `"IPv6"`. */
  family: string;
  /** Port. */
  port: number;
}

/** Who has sent a message. */
export interface RemoteInfo extends DatagramAddress {
  /** Bytes of the message. */
  size: number;
}

/** Gets messages. */
export type MessageListener = (message: Buffer, remote: RemoteInfo) => void;
