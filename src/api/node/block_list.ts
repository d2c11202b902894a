/** `net.BlockList` and `net.SocketAddress`: addresses that are compared as numbers. */
import { type Ip, tryParseIp } from "../../net/addresses.ts";
import { argumentType, argumentValue, checkPort, outOfRange } from "./node_error.ts";

/** `"ipv4"` or `"ipv6"`. */
export type AddressFamily = "ipv4" | "ipv6";

/** What a SocketAddress is made of. */
export interface SocketAddressOptions {
  /** The IP address. */
  address?: string | undefined;
  /** The port. */
  port?: number | undefined;
  /** 4 or 6. */
  family?: AddressFamily | undefined;
  /** The flow label of IPv6. */
  flowlabel?: number | undefined;
}

/** Largest flow label. RFC 8200 section 6: 20 bits. */
const FLOW_LABEL_MAX = 0xfffff;

const BITS: Readonly<Record<AddressFamily, number>> = { ipv4: 32, ipv6: 128 };

/** First of the addresses that stand for IPv4's. RFC 4291 section 2.5.5.2. */
const MAPPED: bigint = 0xffff_0000_0000n;

/** An address and a port. */
export class SocketAddress {
  readonly #address: string;
  readonly #port: number;
  readonly #family: AddressFamily;
  readonly #flowlabel: number;

  /** As in Node. */
  constructor(options: SocketAddressOptions = {}) {
    if (typeof options !== "object" || options === null) {
      throw argumentType("options", "object", options);
    }
    const { family = "ipv4", port = 0, flowlabel = 0 } = options;
    checkFamily(family);
    const address = options.address ?? (family === "ipv4" ? "127.0.0.1" : "::");
    if (typeof address !== "string") throw argumentType("options.address", "string", address);
    this.#port = checkPort("options.port", port);
    if (!(flowlabel >= 0 && flowlabel <= FLOW_LABEL_MAX)) {
      throw outOfRange("options.flowlabel", `>= 0 && <= ${FLOW_LABEL_MAX}`, flowlabel);
    }
    parse(address, family);
    this.#address = address;
    this.#family = family;
    this.#flowlabel = flowlabel;
  }

  /** The IP address. */
  get address(): string {
    return this.#address;
  }

  /** The port. */
  get port(): number {
    return this.#port;
  }

  /** 4 or 6. */
  get family(): AddressFamily {
    return this.#family;
  }

  /** The flow label of IPv6. */
  get flowlabel(): number {
    return this.#flowlabel;
  }

  /** The same as a plain object. */
  toJSON(): Required<SocketAddressOptions> {
    const { address, port, family, flowlabel } = this;
    return { address, port, family, flowlabel };
  }

  /** Whether a value is one. */
  static isSocketAddress(value: unknown): value is SocketAddress {
    return value instanceof SocketAddress;
  }

  /** Reads `10.0.0.1:80`, `[::1]:80` or an address alone; undefined if it is none. */
  static parse(input: string): SocketAddress | undefined {
    const match = /^(?:\[([^\]]+)\]|([^:]*)|([^\]]*))(?::(\d{1,5}))?$/.exec(input);
    const address = match?.[1] ?? match?.[2] ?? match?.[3] ?? "";
    const ip = tryParseIp(address);
    const port = Number(match?.[4] ?? 0);
    if (ip === null || port > 0xffff) return undefined;
    return new SocketAddress({ address, port, family: address.includes(":") ? "ipv6" : "ipv4" });
  }
}

/** Numbers from one to another, both included, of one family. */
interface Rule {
  readonly family: AddressFamily;
  readonly first: bigint;
  readonly last: bigint;
  readonly text: string;
}

/** Addresses, ranges and networks. */
export class BlockList {
  readonly #rules: Rule[] = [];

  /** Adds one address. */
  addAddress(address: string | SocketAddress, family: AddressFamily = "ipv4"): void {
    const one = read(address, family);
    const text = `Address: ${familyText(one.family)} ${one.text}`;
    this.#rules.unshift({ family: one.family, first: one.value, last: one.value, text });
  }

  /** Adds all addresses from one to another. */
  addRange(
    start: string | SocketAddress,
    end: string | SocketAddress,
    family: AddressFamily = "ipv4",
  ): void {
    const from = read(start, family);
    const to = read(end, family);
    if (from.value > to.value) throw argumentValue("start", start, "must come before end");
    const text = `Range: ${familyText(from.family)} ${from.text}-${to.text}`;
    this.#rules.unshift({ family: from.family, first: from.value, last: to.value, text });
  }

  /** Adds a network. @param prefix Bits. */
  addSubnet(net: string | SocketAddress, prefix: number, family: AddressFamily = "ipv4"): void {
    const network = read(net, family);
    const bits = BITS[network.family];
    if (typeof prefix !== "number") throw argumentType("prefix", "number", prefix);
    if (!(prefix >= 0 && prefix <= bits)) {
      throw outOfRange("prefix", `>= 0 && <= ${bits}`, prefix);
    }
    const host = (1n << BigInt(bits - prefix)) - 1n;
    const first = network.value & ~host;
    const text = `Subnet: ${familyText(network.family)} ${network.text}/${prefix}`;
    this.#rules.unshift({ family: network.family, first, last: first | host, text });
  }

  /** Whether a rule is about an address. IPv4 within IPv6 counts as IPv4. */
  check(address: string | SocketAddress, family: AddressFamily = "ipv4"): boolean {
    const text = typeof address === "string" ? address : address.address;
    const named = typeof address === "string" ? family : address.family;
    checkFamily(named);
    const ip = tryParseIp(text);
    if (ip === null || (named === "ipv6") !== text.includes(":")) return false;
    const value = BigInt(ip);
    // The parser has made an IPv4 number of a mapped address already.
    const actual = typeof ip === "number" ? "ipv4" : "ipv6";
    return this.#rules.some(({ family: own, first, last }) => {
      const compared = own === actual ? value : own === "ipv6" ? MAPPED | value : null;
      return compared !== null && compared >= first && compared <= last;
    });
  }

  /** The rules as text, the last one first. */
  get rules(): string[] {
    return this.#rules.map(({ text }) => text);
  }

  /** Whether a value is one. */
  static isBlockList(value: unknown): value is BlockList {
    return value instanceof BlockList;
  }
}

function read(
  address: string | SocketAddress,
  family: AddressFamily,
): { readonly family: AddressFamily; readonly value: bigint; readonly text: string } {
  if (address instanceof SocketAddress) return read(address.address, address.family);
  if (typeof address !== "string") throw argumentType("address", "string", address);
  checkFamily(family);
  const ip = parse(address, family);
  const value = family === "ipv6" && typeof ip === "number" ? MAPPED | BigInt(ip) : BigInt(ip);
  return { family, value, text: address };
}

function parse(address: string, family: AddressFamily): Ip {
  const ip = tryParseIp(address);
  if (ip !== null && (family === "ipv6") === address.includes(":")) return ip;
  throw Object.assign(new Error("Invalid socket address"), { code: "ERR_INVALID_ADDRESS" });
}

function checkFamily(family: unknown): void {
  if (typeof family !== "string") throw argumentType("options.family", "string", family);
  if (family !== "ipv4" && family !== "ipv6") throw argumentValue("options.family", family);
}

function familyText(family: AddressFamily): string {
  return family === "ipv4" ? "IPv4" : "IPv6";
}
