/** Refuses what a caller can not mean: `TypeError` for the wrong kind of value, `RangeError` for one out of range. */
import { isIp, isIpv4Number, parseIp, tryParseIp } from "../net/addresses.ts";
import { ADDRESS_KEY_BYTES } from "../net/stable_id.ts";
import type { ConnectOptions, ListenOptions, StackOptions } from "../options.ts";
import { PORT_MAX } from "../tcp/ports.ts";
import { coreOptions } from "../tcp/tcp_options.ts";
import { checkInteger } from "../tcp/numbers.ts";

/** Ways to get addresses that have a name. */
const ADDRESS_CHOICES: readonly unknown[] = ["auto", "dhcp", "slaac"];

/** Longest name, characters. RFC 1035 section 2.3.4. */
const NAME_MAX = 253;

/** Longest time to open a connection, ms: a day. */
const CONNECT_TIMEOUT_MAX_MS = 86_400_000;

/** Checks a host's name or address. */
export function checkName(hostname: unknown): void {
  if (typeof hostname !== "string") {
    throw new TypeError(`Cannot use hostname "${String(hostname)}": expected a string`);
  }
  if (hostname.length === 0 || hostname.length > NAME_MAX) {
    throw new RangeError(
      `Cannot use a hostname of ${hostname.length} characters: expected 1 to ${NAME_MAX}`,
    );
  }
}

/** Checks the options of `connect()`. */
export function checkConnect(options: ConnectOptions): void {
  checkObject("connect", options);
  checkName(options.hostname);
  checkInteger("port", options.port, 1, PORT_MAX);
  if (options.localPort !== undefined) checkInteger("localPort", options.localPort, 0, PORT_MAX);
  if (options.localAddress !== undefined) {
    const local = parseIp(options.localAddress);
    const remote = tryParseIp(options.hostname);
    if (remote !== null && isIpv4Number(local) !== isIpv4Number(remote)) {
      throw new RangeError(
        `Cannot connect from ${options.localAddress} to ${options.hostname}: IPv4 and IPv6 do not mix`,
      );
    }
  }
  if (options.connectTimeoutMs !== undefined) {
    checkInteger("connectTimeoutMs", options.connectTimeoutMs, 1, CONNECT_TIMEOUT_MAX_MS);
  }
  if (options.earlyData !== undefined && !(options.earlyData instanceof Uint8Array)) {
    throw new TypeError("Cannot take earlyData: expected a Uint8Array");
  }
  coreOptions(options);
}

/** Checks the options of `listen()`. */
export function checkListen(options: ListenOptions): void {
  checkObject("listen", options);
  checkInteger("port", options.port, 0, PORT_MAX);
  if (options.backlog !== undefined) checkInteger("backlog", options.backlog, 1, PORT_MAX);
  if (options.remotePort !== undefined) checkInteger("remotePort", options.remotePort, 1, PORT_MAX);
  if (options.remoteAddress !== undefined) parseIp(options.remoteAddress);
  checkFamily(options);
  coreOptions(options);
  if (options.hostname === undefined) return;
  checkName(options.hostname);
  if (isIp(options.hostname) === 0) {
    throw new RangeError(`Cannot listen on "${options.hostname}": expected an address`);
  }
}

function checkFamily({ hostname, ipv6Only }: ListenOptions): void {
  if (ipv6Only === undefined) return;
  if (typeof ipv6Only !== "boolean") {
    throw new TypeError(`Cannot take ipv6Only "${String(ipv6Only)}": expected true or false`);
  }
  if (ipv6Only && hostname !== undefined && isIp(hostname) === 4) {
    throw new RangeError(`Cannot listen on ${hostname} with ipv6Only: it is an IPv4 address`);
  }
}

/** Checks the options of `createStack()`, as far as nobody else does. */
export function checkStackOptions(options: StackOptions): void {
  checkObject("create a stack", options);
  const { link, address = "auto", addressKey } = options;
  if (typeof link !== "object" || link === null || typeof link.send !== "function") {
    throw new TypeError("Cannot create a stack: the link is no device");
  }
  const isStatic = typeof address === "object" && address !== null;
  if (!isStatic && !ADDRESS_CHOICES.includes(address)) {
    throw new TypeError(
      `Cannot create a stack: the address is "${
        String(address)
      }", expected "auto", "dhcp", "slaac" or an object`,
    );
  }
  if (addressKey === undefined) return;
  if (!(addressKey instanceof Uint8Array)) {
    throw new TypeError("Cannot create a stack: the addressKey is no Uint8Array");
  }
  if (addressKey.length !== ADDRESS_KEY_BYTES) {
    throw new RangeError(
      `Cannot create a stack with an addressKey of ${addressKey.length} bytes: expected ${ADDRESS_KEY_BYTES}`,
    );
  }
}

function checkObject(doing: string, options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot ${doing}: expected an object with options`);
  }
}
