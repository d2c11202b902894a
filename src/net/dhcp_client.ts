/**
 * DHCP client: gets an address, keeps it, and confirms it when the link comes back. Source: RFC 2131 section 4.4, the
 * states are those of its figure 5.
 */
import type { Timer } from "../runtime/clock.ts";
import { sameBytes } from "../wire/bytes.ts";
import {
  BOOT_REPLY,
  BOOT_REQUEST,
  buildDhcp,
  DHCP_ACK,
  DHCP_CLIENT_PORT,
  DHCP_DECLINE,
  DHCP_DISCOVER,
  DHCP_NAK,
  DHCP_OFFER,
  DHCP_RELEASE,
  DHCP_REQUEST,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  option16,
  option32,
  OPTION_CLIENT_ID,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_HOST_NAME,
  OPTION_LEASE_SECONDS,
  OPTION_MAX_SIZE,
  OPTION_MTU,
  OPTION_PARAMETERS,
  OPTION_REQUESTED_ADDRESS,
  OPTION_ROUTER,
  OPTION_ROUTES,
  OPTION_SEARCH,
  OPTION_SERVER_ID,
  OPTION_SUBNET_MASK,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
  parseDhcp,
  read32Option,
} from "../wire/dhcp.ts";
import { ADDRESS_ANY, ADDRESS_BROADCAST } from "./addresses.ts";
import { type Lease, readLease } from "./dhcp_lease.ts";
import type { NetworkInterface } from "./interface.ts";
import type { UdpMessage, UdpSocket } from "./udp.ts";

/** First wait for an answer, ms. Deviation: RFC 2131 section 4.1 begins at 4 s; a page should not wait that long. */
export const RETRY_FIRST_MS = 1_000;
/** Longest wait, ms. RFC 2131 section 4.1. */
export const RETRY_MAX_MS = 64_000;
/** Each wait is longer or shorter by at most this part of it, so that clients do not ask in step. */
export const RETRY_JITTER = 0.1;
/** Requests for an offered address before another one is looked for. */
export const REQUESTS_MAX = 4;
/** Wait after DECLINE, ms. RFC 2131 section 3.1, step 5. */
export const DECLINE_WAIT_MS = 10_000;
/** Shortest wait between renewals, ms. RFC 2131 section 4.4.5. */
export const RENEW_WAIT_MIN_MS = 60_000;

const MS_PER_SECOND = 1_000;
/** Every client takes messages of this size, bytes. RFC 2131 section 2. */
const MESSAGE_MAX_BYTES = 576;
const HARDWARE_ETHERNET = 1;
const HOST_NAME_MAX_CHARACTERS = 63;
const RANDOM_RANGE = 0x1_0000_0000;
/** What we take; every option that we read. */
const PARAMETERS: readonly number[] = [
  OPTION_SUBNET_MASK,
  // RFC 3442: asked for before routers.
  OPTION_ROUTES,
  OPTION_ROUTER,
  OPTION_DNS,
  OPTION_DOMAIN,
  OPTION_SEARCH,
  OPTION_MTU,
  OPTION_LEASE_SECONDS,
  OPTION_T1_SECONDS,
  OPTION_T2_SECONDS,
];

/** States of RFC 2131 figure 5; CHECKING is the ARP probe between REQUESTING and BOUND. */
export type DhcpState =
  | "STOPPED"
  | "INIT"
  | "SELECTING"
  | "REQUESTING"
  | "CHECKING"
  | "BOUND"
  | "RENEWING"
  | "REBINDING"
  | "REBOOTING";

/** Whom the client tells. */
export interface DhcpClientOptions {
  /** A lease was given or renewed; the interface is configured. It may differ from the last one in anything. */
  readonly onLease: (lease: Lease) => void;
  /** The lease is lost, and the interface has no address; the client looks for another one. */
  readonly onLost: (reason: string) => void;
  /** Told to servers, at most 63 characters. */
  readonly hostName?: string;
}

/** The client of one interface. */
export class DhcpClient {
  readonly #iface: NetworkInterface;
  readonly #options: DhcpClientOptions;
  #state: DhcpState = "STOPPED";
  #socket: UdpSocket | null = null;
  #timer: Timer | null = null;
  #xid = 0;
  #startedMs = 0;
  /** Messages sent in this state. */
  #sent = 0;
  /** NAKs without a lease in between. */
  #naks = 0;
  /** The one we have taken up, or held last. */
  #offer: Lease | null = null;
  #lease: Lease | null = null;
  /** When the lease was asked for: RFC 2131 section 4.4.1 counts from there. */
  #requestedMs = 0;
  #leasedMs = 0;

  constructor(iface: NetworkInterface, options: DhcpClientOptions) {
    this.#iface = iface;
    this.#options = options;
  }

  /** Where the client is. */
  get state(): DhcpState {
    return this.#state;
  }

  /** The lease that is held, or null. */
  get lease(): Lease | null {
    return this.#lease;
  }

  /** Begins to look for an address. Idempotent. */
  start(): void {
    if (this.#state !== "STOPPED") return;
    this.#socket = this.#iface.udp.bind({ port: DHCP_CLIENT_PORT });
    this.#socket.onMessage = (message) => this.#receive(message);
    this.#startedMs = this.#now();
    this.#discover();
  }

  /** Gives the address back (RFC 2131 section 4.4.6), takes it from the interface and ends. Idempotent. */
  stop(): void {
    if (this.#state === "STOPPED") return;
    if (this.#lease !== null) {
      const options = new Map([[OPTION_SERVER_ID, option32(this.#lease.server)]]);
      this.#xid = this.#random();
      this.#send(DHCP_RELEASE, options, this.#lease.address, this.#lease.server);
      this.#iface.unconfigure();
    }
    this.#lease = null;
    this.#enter("STOPPED");
    this.#socket?.close();
    this.#socket = null;
  }

  /**
   * The link came back, maybe to another network: asks at once whether the held address is still right (RFC 2131
   * section 3.2). Connections go on meanwhile. A different answer is told as `onLost`, then `onLease`.
   */
  linkUp(): void {
    if (this.#state === "STOPPED") return;
    this.#startedMs = this.#now();
    if (this.#lease === null) return this.#discover();
    this.#iface.announce();
    this.#enter("REBOOTING");
    this.#xid = this.#random();
    this.#requestedMs = this.#now();
    this.#request();
  }

  // Time.

  #now(): number {
    return this.#iface.port.clock.now();
  }

  #random(): number {
    return this.#iface.port.random.next();
  }

  /** The only writer of `state`. */
  #enter(state: DhcpState): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#state = state;
    this.#sent = 0;
  }

  #wait(atMs: number, callback: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#iface.port.clock.at(atMs, callback);
  }

  /** 1, 2, 4 … 64 s, each with its jitter. */
  #backOffMs(step: number): number {
    const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * (2 ** step));
    const jitter = ((this.#random() / RANDOM_RANGE) * 2) - 1;
    return waitMs * (1 + (RETRY_JITTER * jitter));
  }

  /** Lets a callback run after the next back-off of this state. */
  #retry(callback: () => void): void {
    this.#wait(this.#now() + this.#backOffMs(this.#sent), callback);
    this.#sent++;
  }

  // INIT, SELECTING.

  #discover(): void {
    this.#enter("SELECTING");
    this.#offer = null;
    this.#xid = this.#random();
    this.#sendDiscover();
  }

  #sendDiscover(): void {
    this.#send(DHCP_DISCOVER, new Map([[OPTION_PARAMETERS, Uint8Array.from(PARAMETERS)]]));
    this.#retry(() => this.#sendDiscover());
  }

  #onOffer(message: DhcpMessage): void {
    if (this.#state !== "SELECTING") return this.#drop("DHCP_STATE");
    const offer = readLease(message, this.#iface.port.mtu);
    if (offer === null) return this.#drop("DHCP_LEASE");
    // The first good one is taken: to wait for others costs every start a second.
    this.#enter("REQUESTING");
    this.#offer = offer;
    this.#requestedMs = this.#now();
    this.#request();
  }

  // REQUESTING, RENEWING, REBINDING, REBOOTING: RFC 2131 section 4.3.2, table 4.

  #request(): void {
    if (this.#sent >= REQUESTS_MAX) {
      // RFC 2131 section 3.2, step 3: without any answer the held address may be used for the rest of its time.
      return this.#state === "REBOOTING" ? this.#keepLease() : this.#discover();
    }
    const wanted = this.#state === "REBOOTING" ? this.#lease : this.#offer;
    if (wanted === null) return this.#discover();
    const options = new Map([
      [OPTION_PARAMETERS, Uint8Array.from(PARAMETERS)],
      [OPTION_REQUESTED_ADDRESS, option32(wanted.address)],
    ]);
    if (this.#state === "REQUESTING") options.set(OPTION_SERVER_ID, option32(wanted.server));
    this.#send(DHCP_REQUEST, options);
    this.#retry(() => this.#request());
  }

  /** RFC 2131 section 4.4.5: by unicast to the server from T1 on, to everyone from T2 on. */
  #renew(): void {
    const lease = this.#lease;
    if (lease === null) return this.#discover();
    const now = this.#now();
    const t2Ms = this.#leasedMs + (lease.t2Seconds * MS_PER_SECOND);
    const endMs = this.#leasedMs + (lease.leaseSeconds * MS_PER_SECOND);
    if (now >= endMs) return this.#lose("Lease expired");
    const isRebinding = now >= t2Ms;
    const state: DhcpState = isRebinding ? "REBINDING" : "RENEWING";
    if (this.#state !== state) {
      this.#enter(state);
      this.#xid = this.#random();
    }
    this.#requestedMs = now;
    const options = new Map([[OPTION_PARAMETERS, Uint8Array.from(PARAMETERS)]]);
    const destination = isRebinding ? ADDRESS_BROADCAST : lease.server;
    this.#send(DHCP_REQUEST, options, lease.address, destination);
    const limitMs = isRebinding ? endMs : t2Ms;
    // One half of what is left, but at least a minute; the limit itself is not missed.
    const waitMs = Math.max(RENEW_WAIT_MIN_MS, (limitMs - now) / 2);
    this.#wait(Math.min(limitMs, now + waitMs), () => this.#renew());
  }

  #keepLease(): void {
    const lease = this.#lease;
    if (lease === null) return this.#discover();
    this.#enter("BOUND");
    const t1Ms = this.#leasedMs + (lease.t1Seconds * MS_PER_SECOND);
    this.#wait(Math.max(t1Ms, this.#now()), () => this.#renew());
  }

  #onAck(message: DhcpMessage): void {
    const lease = readLease(message, this.#iface.port.mtu);
    if (lease === null) return this.#drop("DHCP_LEASE");
    const state = this.#state;
    if (state === "REQUESTING") {
      if (lease.address !== this.#offer?.address || lease.server !== this.#offer.server) {
        return this.#drop("DHCP_LEASE");
      }
      return this.#check(lease);
    }
    const isAsked = state === "RENEWING" || state === "REBINDING" || state === "REBOOTING";
    if (!isAsked) return this.#drop("DHCP_STATE");
    // While renewing we have asked one server alone; no other one may answer for it.
    const isForeign = state === "RENEWING" && lease.server !== this.#lease?.server;
    if (isForeign || lease.address !== this.#lease?.address) return this.#drop("DHCP_LEASE");
    this.#bind(lease);
  }

  /** RFC 2131 section 3.1, step 5: the client SHOULD check that nobody has the address. */
  #check(lease: Lease): void {
    this.#enter("CHECKING");
    this.#offer = lease;
    this.#timer = this.#iface.neighbors.probeWith(lease.address, (inUse) => {
      this.#timer = null;
      if (!inUse) return this.#bind(lease);
      this.#iface.count("DHCP_CONFLICT");
      this.#send(
        DHCP_DECLINE,
        new Map([
          [OPTION_REQUESTED_ADDRESS, option32(lease.address)],
          [OPTION_SERVER_ID, option32(lease.server)],
        ]),
      );
      this.#enter("INIT");
      this.#wait(this.#now() + DECLINE_WAIT_MS, () => this.#discover());
    });
  }

  #bind(lease: Lease): void {
    this.#lease = lease;
    this.#leasedMs = this.#requestedMs;
    this.#naks = 0;
    this.#iface.configure({
      address: lease.address,
      prefixLength: lease.prefixLength,
      gateway: lease.gateway,
      dns: lease.dns,
      routes: lease.routes,
      mtu: lease.mtu,
      search: lease.search,
    });
    this.#keepLease();
    this.#options.onLease(lease);
  }

  #onNak(message: DhcpMessage): void {
    const state = this.#state;
    const server = read32Option(message, OPTION_SERVER_ID);
    const asked = state === "REQUESTING" ? this.#offer : this.#lease;
    const isOneServer = state === "REQUESTING" || state === "RENEWING";
    const isAsked = isOneServer || state === "REBINDING" || state === "REBOOTING";
    if (!isAsked || server === null) return this.#drop("DHCP_STATE");
    if (isOneServer && server !== asked?.server) return this.#drop("DHCP_LEASE");
    this.#lose("The server refused the address");
  }

  /** Back to INIT; at once when a lease has ended by itself, with a back-off after each NAK in a row. */
  #lose(reason: string): void {
    const hadLease = this.#lease !== null;
    const isNak = this.#lease === null || this.#now() < this.#endMs(this.#lease);
    this.#lease = null;
    this.#offer = null;
    this.#enter("INIT");
    const waitMs = isNak ? this.#backOffMs(this.#naks++) : 0;
    this.#wait(this.#now() + waitMs, () => this.#discover());
    if (!hadLease) return;
    this.#iface.unconfigure();
    this.#options.onLost(reason);
  }

  #endMs(lease: Lease): number {
    return this.#leasedMs + (lease.leaseSeconds * MS_PER_SECOND);
  }

  // Messages.

  #drop(reason: string): void {
    this.#iface.count(reason);
  }

  #receive(datagram: UdpMessage): void {
    if (datagram.port !== DHCP_SERVER_PORT) return this.#drop("DHCP_PORT");
    const message = parseDhcp(datagram.data);
    if (typeof message === "string") return this.#drop(message);
    const isOurs = message.op === BOOT_REPLY && message.xid === this.#xid &&
      sameBytes(message.chaddr, this.#iface.port.mac);
    if (!isOurs) return this.#drop("DHCP_FOREIGN");
    if (message.type === DHCP_OFFER) return this.#onOffer(message);
    if (message.type === DHCP_ACK) return this.#onAck(message);
    if (message.type === DHCP_NAK) return this.#onNak(message);
    this.#drop("DHCP_TYPE");
  }

  /**
   * Sends a message. Until an address is confirmed we ask for answers by broadcast, as no unicast would reach us.
   *
   * @param ciaddr Our address when it is in use and to be named, else 0.
   */
  #send(
    type: number,
    options: Map<number, Uint8Array>,
    ciaddr: number = ADDRESS_ANY,
    destination: number = ADDRESS_BROADCAST,
  ): void {
    const { mac, mtu } = this.#iface.port;
    options.set(OPTION_CLIENT_ID, Uint8Array.of(HARDWARE_ETHERNET, ...mac));
    if (type === DHCP_DISCOVER || type === DHCP_REQUEST) {
      options.set(OPTION_MAX_SIZE, option16(Math.max(MESSAGE_MAX_BYTES, Math.min(mtu, 0xffff))));
      const name = this.#options.hostName?.slice(0, HOST_NAME_MAX_CHARACTERS) ?? "";
      const isPlain = /^[\x21-\x7e]+$/.test(name);
      if (isPlain) options.set(OPTION_HOST_NAME, new TextEncoder().encode(name));
    }
    const bytes = buildDhcp({
      op: BOOT_REQUEST,
      type,
      xid: this.#xid,
      secs: Math.floor((this.#now() - this.#startedMs) / MS_PER_SECOND),
      broadcast: ciaddr === ADDRESS_ANY,
      ciaddr,
      yiaddr: 0,
      giaddr: 0,
      chaddr: mac,
      options,
    });
    this.#socket?.send(bytes, destination, DHCP_SERVER_PORT, { source: ciaddr });
  }
}
