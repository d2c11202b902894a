/**
 * The core's exports as they cross the border: numbers only. `core.ts` is the one place that calls them and the one
 * that turns signed results into unsigned ones (`>>> 0`).
 *
 * Calls are synchronous and never re-entrant. Every call that may set a deadline takes `now`, in ms since the stack was
 * made. A handle is `slot, generation`; a stale one answers `-STATUS_STALE_HANDLE` (or 0 spans) and changes nothing.
 */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  /** Address of the Boot block; valid before `init()`. */
  boot(): number;
  /** Checks the configuration in Boot, grows memory once, lays out the regions. 0 or -STATUS. */
  init(): number;
  /** Processes `bytes` of records at Boot.rxPtr, end to end. Returns how many frames are in Punt[]. */
  ingest(bytes: number, now: number): number;
  /** Does what is due. `suspendedMs` > 0 shifts all deadlines first. 0, or MORE if work is left. */
  advance(now: number, suspendedMs: number): number;
  /** Writes at most `room` bytes of records to Boot.txPtr. Bytes, with MORE set if work is left. */
  flush(room: number, now: number): number;
  /** The next deadline, ms; Infinity if there is none. Exact. */
  nextDeadline(): number;
  /** Writes at most `max` (≤ EVENTS_MAX) entries to Boot.eventsPtr; returns how many. */
  takeEvents(max: number): number;
  /** Makes Param.local our address number `index` (broadcast in Param.broadcast), or frees the index. */
  setAddress(index: number, used: number): number;
  /** Listens on Param.local address (zero = any) and port (0 = any) with Param.backlog and Param.flags. Id ≥ 0 or -STATUS. */
  listen(): number;
  /** Stops listening; connections in SYN-RECEIVED or parked are dropped with RST; those queued are reported CLOSED. */
  unlisten(id: number, now: number): number;
  /** Verdict over a parked SYN: DECISION_*. */
  decide(slot: number, generation: number, decision: number, now: number): number;
  /** Active open from Param.local to Param.remote through next hop `hop`. A handle (generation * 2^24 + slot) or -STATUS. */
  connect(hop: number, now: number): number;
  /** The user took the connection from the accept queue: its listener's backlog is relieved. */
  accepted(slot: number, generation: number): number;
  /** Room for at most `want` bytes, in at most two spans (Boot.spansPtr), valid until the next call. Bytes granted. */
  reserveSend(slot: number, generation: number, want: number): number;
  /** The first `bytes` of the granted spans hold data now. */
  written(slot: number, generation: number, bytes: number, now: number): number;
  /** Sends `bytes`, at most FEW_BYTES, that stand in the scratch behind Param. How many were taken. */
  sendFew(slot: number, generation: number, bytes: number, now: number): number;
  /** Where the unread bytes are (Boot.spansPtr). How many. */
  receiveSpans(slot: number, generation: number): number;
  /** The user has read `bytes` of them. */
  consumed(slot: number, generation: number, bytes: number, now: number): number;
  /**
   * Reads at most `most` bytes. FEW_BYTES or fewer stand in the scratch behind Param then, and are read: how many. More are
   * where receiveSpans() would say, and are not read: how many are unread, negative.
   */
  receiveFew(slot: number, generation: number, most: number, now: number): number;
  /** CLOSE of our direction: FIN after what is queued. */
  closeWrite(slot: number, generation: number, now: number): number;
  /** The user reads no more. Unread bytes are dropped; later text is acknowledged and dropped. */
  closeRead(slot: number, generation: number, now: number): number;
  /** ABORT: RST in the states that send one; EVENT_CLOSED with REASON_ABORTED follows. */
  abort(slot: number, generation: number, now: number): number;
  /** The user lets go of the handle: no more events; a connection not yet closed both ways is closed (RST if unread bytes
   * are lost, RFC 9293 section 3.6 and RFC 2525 section 2.17). After EVENT_CLOSED it frees the slot. */
  release(slot: number, generation: number, now: number): number;
  setOption(slot: number, generation: number, option: number, value: number, now: number): number;
  /** Sets what the connections of a listener begin with. */
  setListenerOption(id: number, option: number, value: number): number;
  /** What was written so far is urgent: SND.UP. RFC 9293 section 3.8.5. */
  sendUrgent(slot: number, generation: number, now: number): number;
  getOption(slot: number, generation: number, option: number): number;
  /** Writes Boot.infoPtr. 0 or -STATUS. */
  info(slot: number, generation: number): number;
  /** Param.mac is the MAC of next hop `slot` if `resolved`, else segments for it wait. */
  setNextHop(slot: number, resolved: number, now: number): number;
  /** The ICMP error's quoted packet lies in Param's scratch, `bytes` long. 0 if it was one of ours and heeded. */
  icmpError(bytes: number, type: number, code: number, mtu: number, now: number): number;
  /** The link works again: backed-off timers are reset, and each synchronized connection owes one ACK. */
  linkUp(now: number): void;
  /** OFFLOAD bits of the link: what records may ask for from now on, both ways. */
  setOffload(bits: number): void;
  /** Room for one host frame of `bytes` in the next flush: address of its Ethernet header, or 0. To be filled at once. */
  reserveFrame(bytes: number): number;
  /** Internet checksum of `bytes` at `ptr`, host order. RFC 1071. */
  checksum(ptr: number, bytes: number): number;
  /** Hash of what a hostile packet must not change. */
  stateHash(): bigint;
  /** Hash of all regions. */
  fullHash(): bigint;
  /** TIME-WAIT records in use. */
  timeWaits(): number;
  /** Answers -STATUS_UNSUPPORTED: snapshots come later. */
  restore(): number;
}
