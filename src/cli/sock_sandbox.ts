/**
 * Hosts that exist only here: stacks on a virtual cable under a virtual clock, each with a shell that knows `sock`, `netstat`
 * and a few servers. Terminal sessions of books can be repeated in it line by line, and nothing of it needs privileges.
 *
 * A line of a session is one of
 *
 * - `sun % sock -v -s 6666`: starts a program at a host; one runs there at a time, and `&` at the end leaves room for more
 * - `sun < hello`: types a line to the program that was started there last
 * - `sun ^D`, `sun ^C`: ends its input, interrupts it
 * - `wait 30`: lets so many seconds pass
 * - `crash sun`, `boot sun`: the host loses all its state without a word; it comes back
 */
import { formatIpv4, isIpv4, parseIpv4 } from "../net/addresses.ts";
import type { Tuning } from "../options.ts";
import { seededRandom } from "../runtime/seeded_random.ts";
import { VirtualClock } from "../runtime/virtual_clock.ts";
import { openStack, type Stack } from "../stack.ts";
import { virtualSwitch } from "../link/switch.ts";
import type { Device, DeviceSink } from "../link/device.ts";
import { forEachRecord } from "../link/records.ts";
import { EOF } from "../tcp/connection.ts";
import { netstatOf } from "./netstat.ts";
import { parseSock, type SockOptions, SockUsage } from "./sock_options.ts";
import { SockProgram } from "./sock_program.ts";

/** The documents' hosts. */
const HOSTS: Readonly<Record<string, string>> = {
  bsdi: "140.252.13.35",
  sun: "140.252.13.33",
  svr4: "140.252.13.34",
  vangogh: "128.32.130.2",
};

/** Both networks of the documents are one cable here. */
const PREFIX_LENGTH = 0;
const MEMORY_MIB = 16;
/** How long a frame takes, ms: two SYNs sent within it cross. */
const DELAY_MS = 2;
/** What a line of a session lets pass, ms: enough for an exchange, far less than a timeout of ours. */
const STEP_MS = 150;
const MS_PER_S = 1000;
const ECHO_PORT = 7;
const DISCARD_PORT = 9;
const DAYTIME_PORT = 13;
const READ_BYTES = 4096;
/** Of the hosts' cards: locally administered. */
const MAC_PREFIX = [2, 0, 0, 0, 0];
/** What the daytime server says; time is virtual here. */
const DAYTIME = "Wed Jul  7 07:54:51 1993\n";

/** Options of {@linkcode Sandbox}. */
export interface SandboxOptions {
  /** The compiled core. */
  readonly module: WebAssembly.Module;
  /** Where output goes: a line with its host. */
  readonly print: (line: string) => void;
  /** Each frame on the cable, as it is sent; for a trace. */
  readonly onFrame?: (timeMs: number, frame: Uint8Array) => void;
  /** Seed of keys and ports. Default 1. */
  readonly seed?: number;
  /** Maximum segment lifetime, ms. Default 30,000. */
  readonly mslMs?: number;
  /** Largest IP packet of the cable, bytes. Default 1500. */
  readonly mtu?: number;
  /** What else differs from the defaults, at every host. */
  readonly tuning?: Tuning;
}

/** A host of the sandbox. */
interface Host {
  readonly name: string;
  readonly address: number;
  readonly device: Device;
  stack: Stack | null;
  readonly programs: SockProgram[];
}

/** What can not be done in a sandbox, one sentence. */
export class SandboxError extends Error {}

/** The hosts and their cable. */
export class Sandbox {
  readonly clock: VirtualClock = new VirtualClock();
  readonly #options: SandboxOptions;
  readonly #hosts = new Map<string, Host>();
  readonly #sinks = new Map<string, DeviceSink>();
  #boots = 0;

  constructor(options: SandboxOptions) {
    this.#options = options;
    const names = Object.keys(HOSTS);
    const mtu = options.mtu === undefined ? {} : { mtu: options.mtu };
    const cable = { clock: this.clock, ports: names.length, delayMs: DELAY_MS, ...mtu };
    const ports = virtualSwitch(cable);
    names.forEach((name, i) => {
      const device = ports[i];
      if (device === undefined) return;
      const host: Host = {
        name,
        address: parseIpv4(HOSTS[name] ?? ""),
        device: this.#cable(name, device, i + 1),
        stack: null,
        programs: [],
      };
      this.#hosts.set(name, host);
      this.#boot(host);
    });
    this.#pass(STEP_MS);
  }

  /**
   * Does one line of a session.
   *
   * @throws {SandboxError} With a sentence for people.
   */
  line(text: string): void {
    this.#do(text);
    this.#pass(STEP_MS);
  }

  /** Does lines at one time: nothing passes between them. */
  together(lines: readonly string[]): void {
    for (const line of lines) this.#do(line);
    this.#pass(STEP_MS);
  }

  #do(text: string): void {
    const line = text.trim();
    if (line === "" || line.startsWith("#")) return;
    const wait = /^wait ([\d.]+)$/.exec(line);
    const power = /^(crash|boot) (\w+)$/.exec(line);
    const typed = /^(\w+) (<|\^D|\^C)(?: ?(.*))?$/.exec(line);
    const command = /^(\w+) ?% ?(.*)$/.exec(line);
    if (wait !== null) this.#pass(Number(wait[1]) * MS_PER_S);
    else if (power !== null) this.#power(power[1] === "boot", this.#host(power[2] ?? ""));
    else if (typed !== null) this.#type(this.#host(typed[1] ?? ""), typed[2] ?? "", typed[3] ?? "");
    else if (command !== null) this.#run(this.#host(command[1] ?? ""), command[2] ?? "");
    else {
      throw new SandboxError(
        `Cannot do "${line}": expected HOST % COMMAND, HOST < TEXT, HOST ^D, HOST ^C, wait SECONDS, crash HOST or boot HOST`,
      );
    }
  }

  /** What netstat prints at a host. */
  netstat(name: string): string {
    return netstatOf(this.#running(this.#host(name)));
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host !== undefined) return host;
    throw new SandboxError(
      `There is no host "${name}": there are ${Object.keys(HOSTS).join(", ")}`,
    );
  }

  #running(host: Host): Stack {
    if (host.stack !== null) return host.stack;
    throw new SandboxError(`${host.name} is down: "boot ${host.name}" starts it`);
  }

  #pass(ms: number): void {
    this.clock.advance(ms);
  }

  /** A device that a later stack of the same host can open again, and whose frames are shown. */
  #cable(name: string, device: Device, number: number): Device {
    device.open({
      receive: (batch) => this.#sinks.get(name)?.receive(batch),
      ready: () => this.#sinks.get(name)?.ready(),
      up: () => this.#sinks.get(name)?.up(),
      down: (reason) => this.#sinks.get(name)?.down(reason),
    });
    return {
      mtu: device.mtu,
      // The card outlives its host's crashes.
      mac: new Uint8Array([...MAC_PREFIX, number]),
      open: (sink) => {
        this.#sinks.set(name, sink);
        sink.up();
      },
      offload: device.offload ?? 0,
      room: () => device.room(),
      send: (batch) => {
        forEachRecord(batch, (at, bytes) => {
          this.#options.onFrame?.(this.clock.now(), batch.subarray(at, at + bytes));
        });
        device.send(batch);
      },
      close: () => void this.#sinks.delete(name),
    };
  }

  #power(on: boolean, host: Host): void {
    if (on && host.stack === null) this.#boot(host);
    if (on) return;
    // No segment leaves: the link is cut before the stack hears of anything.
    this.#sinks.delete(host.name);
    host.stack = null;
    host.programs.length = 0;
  }

  #boot(host: Host): void {
    const { module, seed = 1, mslMs, tuning } = this.#options;
    const stack = openStack(module, {
      link: host.device,
      address: { cidr: `${formatIpv4(host.address)}/${PREFIX_LENGTH}` },
      clock: this.clock,
      random: seededRandom(seed + ++this.#boots),
      tuning: { memoryMiB: MEMORY_MIB, ...(mslMs === undefined ? {} : { mslMs }), ...tuning },
    });
    host.stack = stack;
    serve(stack, ECHO_PORT, (bytes) => bytes);
    serve(stack, DISCARD_PORT, () => null);
    serveDaytime(stack);
  }

  #type(host: Host, key: string, text: string): void {
    const program = host.programs.findLast((one) => !one.hasExited);
    if (program === undefined) throw new SandboxError(`Nothing runs at ${host.name}`);
    if (key === "^D") program.endInput();
    else if (key === "^C") program.interrupt();
    else program.input(new TextEncoder().encode(`${text}\n`));
  }

  #run(host: Host, command: string): void {
    const stack = this.#running(host);
    const [name = "", ...args] = command.replace(/\s*&\s*$/, "").split(/\s+/);
    const say = (line: string): void => this.#options.print(`${host.name}: ${line}`);
    if (name === "netstat") {
      this.netstat(host.name).trimEnd().split("\n").forEach(say);
      return;
    }
    if (name !== "sock") {
      throw new SandboxError(`There is no command "${name}": there are sock and netstat`);
    }
    const given = readOptions(args, say);
    if (given === null) return;
    const program = new SockProgram({
      manager: stack.manager,
      clock: this.clock,
      lookup: (hostname) => this.#lookup(hostname),
      output: {
        write: (bytes) => new TextDecoder().decode(bytes).trimEnd().split("\n").forEach(say),
        say,
        exit: () => {},
      },
    }, given);
    host.programs.push(program);
    program.start();
  }

  #lookup(hostname: string): number {
    if (isIpv4(hostname)) return parseIpv4(hostname);
    const name = hostname.split(".")[0] ?? "";
    return this.#host(name).address;
  }
}

/** @returns What is asked for, or null when it was said why not. */
function readOptions(args: readonly string[], say: (line: string) => void): SockOptions | null {
  try {
    return parseSock(args);
  } catch (error) {
    if (!(error instanceof SockUsage)) throw error;
    say(error.message);
    return null;
  }
}

/** A server of the shell: what arrives is answered, until the end. */
function serve(stack: Stack, port: number, answer: (bytes: Uint8Array) => Uint8Array | null): void {
  const listener = stack.manager.listen({ port, reuseAddress: true });
  listener.onReady = () => {
    for (let one = listener.accept(); one !== null; one = listener.accept()) {
      const connection = one;
      const buffer = new Uint8Array(READ_BYTES);
      const pump = (): void => {
        for (;;) {
          if (connection.error !== null || connection.isFinished) return;
          const bytes = connection.readInto(buffer);
          if (bytes === EOF) {
            connection.close();
            return;
          }
          if (bytes <= 0) return;
          const reply = answer(buffer.slice(0, bytes));
          if (reply !== null) connection.write(reply);
        }
      };
      connection.onEvent = pump;
      pump();
    }
  };
}

/** Says the time and closes first, as RFC 867 has it. */
function serveDaytime(stack: Stack): void {
  const listener = stack.manager.listen({ port: DAYTIME_PORT, reuseAddress: true });
  listener.onReady = () => {
    for (let one = listener.accept(); one !== null; one = listener.accept()) {
      one.write(new TextEncoder().encode(DAYTIME));
      one.close();
    }
  };
}
