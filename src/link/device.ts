/**
 * The contract between the stack and whatever carries its frames.
 *
 * A device carries *batches* of *records*. A record is `u32 length` (little-endian, 10 + frame bytes), a
 * 10-byte virtio-net header and the Ethernet frame; records stand end to end, without padding
 * (`docs/adr/0012-one-record-format.md`).
 */

/** What a device tells its stack. All calls are synchronous; the stack copies what it is given. */
export interface DeviceSink {
  /**
   * Records arrived.
   *
   * @param batch At most 128 KiB of records; valid only during the call.
   */
  receive(batch: Uint8Array): void;
  /**
   * Where the stack will read: records that were written here, from its begin, and are then given to `receive()` as a part
   * of this very memory are not copied again. It belongs to the device between two calls of `receive()`; absent = nowhere.
   */
  readonly landing?: Uint8Array;
  /** `room()` grew after it had been too small. */
  ready(): void;
  /** The link works (again). Backed-off retransmission timers are reset. */
  up(): void;
  /** The link does not work for now; frames sent are lost until `up()`. */
  down(reason: string): void;
}

/** A link: TAP device, tunnel, pipe, or a decorator of another one. */
export interface Device {
  /** Largest IP packet that the link carries, bytes. */
  readonly mtu: number;
  /** MAC address that the link assigns to this end, 6 bytes; absent = the stack makes one up. */
  readonly mac?: Uint8Array;
  /**
   * OFFLOAD bits: what the virtio-net headers of records may ask for, both ways; absent = 0, plain frames with complete
   * checksums. It may change; it is read when the device is opened and at each `up()`. A decorator hands its device's on.
   */
  readonly offload?: number;
  /** Attaches the stack. Called once; `sink.up()` is called when the link works, at once or later. */
  open(sink: DeviceSink): void;
  /** How many bytes of records `send()` can take now. */
  room(): number;
  /**
   * Sends records.
   *
   * @param batch Records of at most `room()` bytes; valid only during the call, so a device that keeps them copies.
   */
  send(batch: Uint8Array): void;
  /** Detaches and frees everything; nothing is received afterwards. Idempotent. */
  close(): void;
}
