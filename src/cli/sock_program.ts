/**
 * `sock`: copies what it is given to a connection and what the connection brings to its output, as a client or as a server.
 * It stands on the synchronous stack and makes no promise, so that it runs under a virtual clock too.
 */
import { AddressInUse, type StackError } from "../errors.ts";
import { formatIp } from "../net/addresses.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Connection, EOF } from "../tcp/connection.ts";
import type { Endpoint } from "../core/info_view.ts";
import type { Listener } from "../tcp/listener.ts";
import type { ConnectionManager } from "../tcp/manager.ts";
import type { SockOptions } from "./sock_options.ts";

/** Where its output goes. */
export interface SockOutput {
  /** What the connection brought. */
  write(bytes: Uint8Array): void;
  /** A line of the program itself. */
  say(line: string): void;
  /** It has ended. */
  exit(code: number): void;
}

/** Surroundings of a program. */
export interface SockHost {
  readonly manager: ConnectionManager;
  readonly clock: Clock;
  readonly output: SockOutput;
  /** Finds the address of a name; throws if there is none. */
  lookup(hostname: string): number;
}

const READ_BYTES = 65_536;
const MS_PER_S = 1000;

/** What people read for an error's code. */
const MESSAGES: Readonly<Record<string, string>> = {
  EADDRINUSE: "Address already in use",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  ETIMEDOUT: "Connection timed out",
  EHOSTUNREACH: "No route to host",
  ENETUNREACH: "Network is unreachable",
  EADDRNOTAVAIL: "Can't assign requested address",
};

function messageOf(error: StackError): string {
  return MESSAGES[error.code] ?? error.message;
}

function text({ address, port }: Endpoint): string {
  const name = typeof address === "number" ? formatIp(address) : String(address);
  return `${name}.${port}`;
}

/** One run of the program. */
export class SockProgram {
  readonly #host: SockHost;
  readonly #options: SockOptions;
  #listener: Listener | null = null;
  #connection: Connection | null = null;
  /** Given and not yet written. */
  readonly #input: Uint8Array[] = [];
  #inputEnded = false;
  #told = false;
  #exited = false;

  constructor(host: SockHost, options: SockOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Whether it has ended. */
  get hasExited(): boolean {
    return this.#exited;
  }

  /** Begins to listen or to connect. */
  start(): void {
    if (this.#options.isServer) this.#serve();
    else this.#open();
  }

  /** Something was typed. */
  input(bytes: Uint8Array): void {
    if (this.#exited || this.#inputEnded) return;
    this.#input.push(bytes);
    this.#pump();
  }

  /** The end of the input, control-D. */
  endInput(): void {
    if (this.#exited || this.#inputEnded) return;
    this.#inputEnded = true;
    this.#pump();
  }

  /** The interrupt key: the process is gone, and its sockets are closed. */
  interrupt(): void {
    if (this.#exited) return;
    this.#listener?.close();
    this.#connection?.close();
    this.#exit(1);
  }

  #serve(): void {
    const { hostname, port, backlog, reuseAddress, pauseS } = this.#options;
    const { manager } = this.#host;
    try {
      const address = hostname === null ? {} : { address: this.#host.lookup(hostname) };
      this.#listener = manager.listen({ port, backlog, reuseAddress, ...address });
    } catch (error) {
      this.#fail(error, "can't bind local address: ");
      return;
    }
    const { clock } = this.#host;
    const ready = (): void => {
      if (this.#connection === null) this.#accept();
    };
    const listener = this.#listener;
    if (pauseS === 0) {
      listener.onReady = ready;
      return;
    }
    clock.at(clock.now() + pauseS * MS_PER_S, () => {
      listener.onReady = ready;
      ready();
    });
  }

  #accept(): void {
    const connection = this.#listener?.accept() ?? null;
    if (connection === null) return;
    // One client a run: the program serves the first and takes no other.
    this.#take(connection);
    if (this.#options.isVerbose) {
      this.#say(`connection on ${text(connection.local)} from ${text(connection.remote)}`);
    }
    this.#tellMaxSegment();
    this.#pump();
  }

  #open(): void {
    const { hostname, port, localPort, reuseAddress } = this.#options;
    const { manager } = this.#host;
    try {
      const remote = { address: this.#host.lookup(hostname ?? ""), port };
      this.#take(manager.connect({ remote, localPort, reuseAddress }));
    } catch (error) {
      const atBind = error instanceof AddressInUse && localPort !== 0 && !reuseAddress;
      this.#fail(error, atBind ? "can't bind local address: " : "active open error: ");
    }
  }

  #take(connection: Connection): void {
    this.#connection = connection;
    connection.onEvent = () => this.#pump();
  }

  #tellMaxSegment(): void {
    const connection = this.#connection;
    if (connection === null || !this.#options.isVerbose) return;
    this.#say(`TCP_MAXSEG = ${connection.info().mssBytes}`);
  }

  /** Moves what can be moved, both ways. */
  #pump(): void {
    const connection = this.#connection;
    if (connection === null || this.#exited) return;
    if (!connection.isOpened) {
      if (connection.error !== null) this.#fail(connection.error, "active open error: ");
      return;
    }
    this.#tellOpened(connection);
    if (this.#read(connection)) return;
    this.#write(connection);
  }

  #tellOpened(connection: Connection): void {
    if (this.#told || this.#options.isServer) return;
    this.#told = true;
    if (!this.#options.isVerbose) return;
    this.#say(`connected on ${text(connection.local)} to ${text(connection.remote)}`);
    this.#tellMaxSegment();
  }

  /** @returns Whether the program has ended by it. */
  #read(connection: Connection): boolean {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      if (connection.error !== null) {
        this.#fail(connection.error, "read error: ");
        return true;
      }
      const bytes = connection.readInto(buffer);
      if (bytes === EOF) {
        if (this.#options.isVerbose) this.#say("connection closed by peer");
        this.#leave(connection);
        return true;
      }
      if (bytes <= 0) return false;
      this.#host.output.write(buffer.slice(0, bytes));
    }
  }

  #write(connection: Connection): void {
    for (;;) {
      const [first] = this.#input;
      if (first === undefined) break;
      const written = connection.write(first);
      if (written <= 0) return;
      if (written < first.length) this.#input[0] = first.subarray(written);
      else this.#input.shift();
    }
    if (!this.#inputEnded) return;
    if (this.#options.halfClose) {
      connection.shutdown("write");
      return;
    }
    this.#leave(connection);
  }

  /** Closes and ends: by a reset where the linger time is 0. */
  #leave(connection: Connection): void {
    if (this.#options.lingerS === 0) connection.abort();
    else connection.close();
    this.#listener?.close();
    this.#exit(0);
  }

  #fail(error: unknown, prefix: string): void {
    if (!(error instanceof Error)) throw error;
    const message = "code" in error ? messageOf(error as StackError) : error.message;
    this.#say(`${prefix}${message}`);
    this.#listener?.close();
    this.#exit(1);
  }

  #say(line: string): void {
    this.#host.output.say(line);
  }

  #exit(code: number): void {
    if (this.#exited) return;
    this.#exited = true;
    this.#host.output.exit(code);
  }
}
