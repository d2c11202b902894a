/** What a test tells the peer, and what the peer tells the test. Types alone: the peer runs in every runtime. */
import type { ConnectionInfo } from "../../src/options.ts";

/** Names of the runtimes. */
export type RuntimeName = "deno" | "node" | "bun";

/** How the link goes wrong, each way. */
export interface Impairment {
  readonly seed: number;
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: { readonly chance: number; readonly minMs: number; readonly maxMs: number };
}

/** What the peer is to do. */
export interface Settings {
  /** The runtime that it must find itself in. */
  readonly runtime: RuntimeName;
  readonly tap: string;
  /** Written when the stack listens. */
  readonly readyPath: string;
  /** Our address. Default: OUR_ADDRESS. */
  readonly address?: string;
  /** The relay to go through; absent = straight onto the TAP. */
  readonly tunnel?: { readonly url: string; readonly token: string };
  /** Whether the link asks for offloads. Default false: each frame is one that could be on a wire. */
  readonly offload?: boolean;
  /** Where to capture to; absent = not. */
  readonly capturePath?: string;
  /** Absent = none. */
  readonly impairment?: Impairment;
  /** What it does besides serving HTTP. */
  readonly work: "download" | "habits" | "nothing";
  /** Downloads at once, each with a seed of its own from `seed` on. */
  readonly downloads?: number;
  readonly seed?: number;
  /** Bytes of each download. */
  readonly bytes?: number;
}

/** How one download went. */
export interface Download {
  readonly bytes: number;
  readonly sha256: string;
  readonly ms: number;
}

/** What the peer prints when it was told to stop. */
export interface Report {
  readonly runtime: RuntimeName;
  readonly downloads: readonly Download[];
  /** From the first connect to the last byte, ms. */
  readonly downloadMs: number;
  /** What each habit of the kernel led to. */
  readonly habits: Readonly<Record<string, string>>;
  /** Of the connection that served most, before its end. */
  readonly served: ConnectionInfo | null;
  /** Of the first download, at its end. */
  readonly downloaded: ConnectionInfo | null;
  readonly mac: string;
  /** OFFLOAD bits that the link has. */
  readonly offload: number;
  readonly stats: Readonly<Record<string, number>>;
  readonly tap: Readonly<Record<string, number>>;
  readonly impair: Readonly<Record<string, number>> | null;
  /** Frames captured, and those missing. */
  readonly captured: { readonly frames: number; readonly dropped: number } | null;
  readonly cpuMs: number;
}
