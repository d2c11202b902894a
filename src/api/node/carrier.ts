/**
 * What a socket of Node's needs of a connection: bytes when it wants them, and a word when bytes were taken. A connection of
 * this process is read and written without promises; one of a worker through its streams.
 */
import type { NetAddress, TcpOptions } from "../../options.ts";

/** Who gets what a connection carries. */
export interface CarrierSink {
  /** Where the next bytes go. @param wanted As many wait; more than 0. @returns A view of at most as many. */
  place(wanted: number): Uint8Array;
  /** Bytes came, in a view that `place()` gave or that is the sink's to keep. @returns False if no more should come for now. */
  receive(view: Uint8Array, bytes: number): boolean;
  /** The peer's FIN. */
  end(): void;
  /** Nothing more will come, and why. */
  fail(error: unknown): void;
}

/** The way a connection is read, written and closed. */
export interface Carrier {
  readonly local: NetAddress;
  readonly remote: NetAddress;
  /** Bytes given to `write()` that the connection has not taken. */
  readonly pendingBytes: number;
  /** Says who gets the bytes; called once. */
  attach(sink: CarrierSink): void;
  readStart(): void;
  readStop(): void;
  /** Writes all of them; one call at a time. @param done Called once all are taken, maybe within the call. */
  write(chunks: readonly Uint8Array[], done: (error: unknown) => void): void;
  /** FIN behind what was written. */
  shutdown(done: () => void): void;
  /** RST; `close()` has to follow. */
  reset(): void;
  /** Lets go of the connection; nothing is told any more but this, in a task of its own. */
  close(done: () => void): void;
  setOptions(options: TcpOptions): void;
}
