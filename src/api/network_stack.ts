/** The stack with promises, in the process that calls it. */
import { coreModule } from "../core/wasm_source.ts";
import { BadResource } from "../errors.ts";
import type { Core } from "../core/core.ts";
import { PAGE_MEMORY_MIB } from "../core/core_config.ts";
import type { Device } from "../link/device.ts";
import { type Ip, isIpv4Number, parseIp } from "../net/addresses.ts";
import type { NetworkInterface } from "../net/interface.ts";
import { readStatic } from "../net/static_config.ts";
import { readNameOptions } from "../net/name_settings.ts";
import type {
  AddressInfo,
  ConnectionRow,
  ConnectOptions,
  LinkState,
  Listening,
  ListenOptions,
  NameAnswer,
  NameRecords,
  NetworkStack,
  RecordType,
  ResolveOptions,
  ResolveRecordsOptions,
  StackOptions,
  TcpConnection,
  TcpListener,
  Tuning,
  UdpBindOptions,
} from "../options.ts";
import type {
  PingOptions,
  PingResult,
  TracerouteOptions,
  TracerouteResult,
} from "../probe_options.ts";
import { REAL_TIME } from "../runtime/deferral.ts";
import type { Loop } from "../runtime/loop.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { systemRandom } from "../runtime/system_random.ts";
import { VirtualClock } from "../runtime/virtual_clock.ts";
import { openStack, type Stack } from "../stack.ts";
import type { ConnectionManager, ListenRequest } from "../tcp/manager.ts";
import { checkConnect, checkListen, checkStackOptions } from "./checks.ts";
import { connectTo } from "./connecting.ts";
import { checkPing, checkTraceroute, ping, reachable, traceroute } from "./probing.ts";
import { listening } from "./listening.ts";
import { resolveAnswer, resolveHost } from "./resolving.ts";
import { StreamListener } from "./tcp_listener.ts";
import { bindUdp, type DatagramSocket } from "./udp_socket.ts";

/** A stack in this process. Everything beneath is reachable for tests, tools and the relay. */
export class InProcessStack implements NetworkStack {
  /** See {@linkcode NetworkStack}. */
  readonly ready: Promise<AddressInfo>;
  /** The synchronous stack. */
  readonly stack: Stack;
  #closing: Promise<void> | null = null;

  /** Shows it with promises. @param stack An open stack; its `onAddress` and `onEnd` belong to this object from here on. */
  constructor(stack: Stack) {
    this.stack = stack;
    this.ready = new Promise((resolve, reject) => {
      const look = (): void => {
        if (stack.address === null) return;
        stack.whenGatewayKnown(() => {
          // The lease may have been lost meanwhile; then another one is waited for.
          if (stack.address !== null) resolve(stack.address);
        });
      };
      stack.onAddress = look;
      stack.onEnd = reject;
      if (stack.address === null) return;
      // A static address is ready whether or not its gateway answers.
      resolve(stack.address);
    });
    this.ready.catch(() => {});
  }

  /**
   * TCP without promises.
   *
   * @internal
   */
  get manager(): ConnectionManager {
    return this.stack.manager;
  }

  /**
   * The core.
   *
   * @internal
   */
  get core(): Core {
    return this.stack.core;
  }

  /**
   * ARP, ICMP, UDP, routes.
   *
   * @internal
   */
  get interface(): NetworkInterface {
    return this.stack.interface;
  }

  /**
   * The loop.
   *
   * @internal
   */
  get loop(): Loop {
    return this.stack.loop;
  }

  /** See {@linkcode NetworkStack}. */
  async connect(options: ConnectOptions): Promise<TcpConnection> {
    checkConnect(options);
    options.signal?.throwIfAborted();
    this.#assertOpen("connect");
    return await connectTo(this, options);
  }

  /** See {@linkcode NetworkStack}. */
  listen(options: ListenOptions): Listening {
    // Errors of an async function are rejections.
    const listen = async (): Promise<TcpListener> => await this.listenNow(options);
    return listening(listen());
  }

  /** Listens within the call. @throws As `listen()` rejects. */
  listenNow(options: ListenOptions): TcpListener {
    checkListen(options);
    this.#assertOpen("listen");
    const { port, backlog, reuseAddress = false } = options;
    const { remoteAddress, remotePort = 0 } = options;
    const listener = this.manager.listen({
      port,
      reuseAddress,
      options,
      remote: {
        address: remoteAddress === undefined ? 0 : parseIp(remoteAddress),
        port: remotePort,
      },
      ...whereToListen(options),
      ...(backlog === undefined ? {} : { backlog }),
    });
    return new StreamListener(listener);
  }

  /** See {@linkcode NetworkStack}. */
  // deno-lint-ignore require-await -- errors of an async function are rejections
  async bindUdp(options: UdpBindOptions = {}): Promise<DatagramSocket> {
    return this.bindUdpNow(options);
  }

  /** Binds within the call. */
  bindUdpNow(options: UdpBindOptions = {}): DatagramSocket {
    this.#assertOpen("bind a UDP socket");
    return bindUdp({
      interface: this.interface,
      resolve: (hostname) => this.resolve(hostname),
      whenConfigured: () => this.ready,
    }, options);
  }

  /** See {@linkcode NetworkStack.ping}. */
  async ping(hostname: string, options: PingOptions = {}): Promise<PingResult> {
    checkPing(options);
    const address = await this.#probed(hostname, options.signal);
    return await ping(this.interface, address, options);
  }

  /** See {@linkcode NetworkStack.traceroute}. */
  async traceroute(hostname: string, options: TracerouteOptions = {}): Promise<TracerouteResult> {
    checkTraceroute(options);
    const address = await this.#probed(hostname, options.signal);
    return await traceroute(this.interface, address, options);
  }

  /** Whom to ask. */
  async #probed(hostname: string, signal: AbortSignal | undefined): Promise<Ip> {
    this.#assertOpen("ask a host");
    signal?.throwIfAborted();
    const addresses = await resolveHost(this, hostname, signal === undefined ? {} : { signal });
    if (this.stack.address === null) await this.ready;
    return reachable(this.interface, addresses);
  }

  /** See {@linkcode NameLookup}. */
  async resolve(hostname: string, options?: ResolveOptions): Promise<string[]> {
    this.#assertOpen("resolve a name");
    return await resolveHost(this, hostname, options);
  }

  /** See {@linkcode NameLookup}. */
  async resolveRecords<K extends RecordType>(
    name: string,
    type: K,
    options?: ResolveRecordsOptions,
  ): Promise<NameRecords[K][]> {
    this.#assertOpen("resolve a name");
    return (await resolveAnswer(this, name, type, options)).records;
  }

  /** See {@linkcode NameLookup}. */
  async resolveAnswer<K extends RecordType>(
    name: string,
    type: K,
    options?: ResolveRecordsOptions,
  ): Promise<NameAnswer<K>> {
    this.#assertOpen("resolve a name");
    return await resolveAnswer(this, name, type, options);
  }

  /** See {@linkcode NetworkStack}. */
  // deno-lint-ignore require-await
  async stats(): Promise<Record<string, number>> {
    this.#assertOpen("count");
    return this.stack.stats();
  }

  /** See {@linkcode NetworkStack}. */
  // deno-lint-ignore require-await
  async connections(): Promise<ConnectionRow[]> {
    this.#assertOpen("list connections");
    return this.manager.rows();
  }

  /** See {@linkcode NetworkStack}. */
  onLink(callback: (state: LinkState) => void): () => void {
    return this.stack.onLink(callback);
  }

  /** See {@linkcode NetworkStack}. */
  close(): Promise<void> {
    return this.#closing ??= new Promise((resolve) => {
      this.stack.close();
      resolve();
    });
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(doing: string): void {
    const { ended } = this.manager;
    if (ended === null) return;
    throw ended.code === "CORE_FAULT"
      ? ended
      : new BadResource(`Cannot ${doing}: the stack is closed`);
  }
}

/** Any address is that of both families, unless `"0.0.0.0"` or `ipv6Only` leaves one out: as Linux does it. */
function whereToListen(
  { hostname, ipv6Only }: ListenOptions,
): Pick<ListenRequest, "address" | "families"> {
  if (hostname === undefined) return ipv6Only === true ? { families: "ipv6" } : {};
  const address = parseIp(hostname);
  if (isIpv4Number(address)) return { address, families: "ipv4" };
  return { address, families: ipv6Only === true ? "ipv6" : "both" };
}

/**
 * Starts a stack in this process.
 *
 * @param options Link, address, and what may differ from the defaults.
 * @returns The stack; its `ready` tells when it has an address.
 * @throws {TypeError} If a value is not of its type, or this runtime lacks WebAssembly SIMD.
 * @throws {RangeError} If a value is out of range, or the memory can not be had.
 * @throws {StackError} If the link can not be opened.
 * @example
 * ```ts
 * const stack = await createStack({ link, address: { cidr: "10.0.0.2/24", gateway: "10.0.0.1" } });
 * const connection = await stack.connect({ hostname: "10.0.0.1", port: 80 });
 * await stack.close();
 * ```
 */
export async function createStack(options: StackOptions): Promise<InProcessStack> {
  checkStackOptions(options);
  const { link, address = "auto" } = options;
  // Before the link is waited for: a mistake in it should not take that long to be found.
  if (typeof address === "object") readStatic(address);
  readNameOptions(options.names);
  try {
    const module = await coreModule(options.wasm);
    await whenOpened(link);
    const clock = options.clock ?? systemClock();
    const stack = openStack(module, {
      link,
      address,
      clock,
      random: options.random ?? systemRandom(),
      ...(options.addressKey === undefined ? {} : { addressKey: options.addressKey }),
      tuning: withMemory(options.tuning ?? {}),
      ...(options.names === undefined ? {} : { names: options.names }),
      // A virtual clock is there to make a run repeatable; tasks are not in its hands.
      ...(clock instanceof VirtualClock ? {} : { defer: REAL_TIME }),
    });
    return new InProcessStack(stack);
  } catch (error) {
    link.close();
    throw error;
  }
}

/** Some links have to shake hands before their MAC and MTU are known. */
async function whenOpened(link: Device): Promise<void> {
  if ("opened" in link) await link.opened;
}

/** A page gets less memory by default. */
function withMemory(tuning: Tuning): Tuning {
  if (tuning.memoryMiB !== undefined || !isPage()) return tuning;
  return { ...tuning, memoryMiB: PAGE_MEMORY_MIB };
}

/** Whether a browser runs us, in a page or in one of its workers. */
function isPage(): boolean {
  const names = ["Deno", "process", "Bun"];
  return !names.some((name) => name in globalThis) && "navigator" in globalThis;
}
