/** A login by ssh2 over a stack, and its shell. The package is used as it is published; the build aliases what it imports. */
import { createHash } from "crypto-browserify";
import ssh2 from "ssh2";
import { toDuplex } from "../../src/api/node/to_duplex.ts";
import type { NetworkStack } from "../../src/options.ts";
import { hostName, type KnownHosts } from "./known_hosts.ts";

/** From the connection to the server's key, ms. OpenSSH's client waits as long as TCP does; a page says something sooner. */
const HOST_KEY_MS = 20_000;

/** How often a silent server is asked whether it is there, ms; after three questions in vain the session is over. */
const KEEPALIVE_MS = 15_000;

/** What the terminal says that it is: the description of xterm with its colours. */
const TERM = "xterm-256color";

/** Whom to log in, and where. */
export interface Login {
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  /** The user's, or that of the private key. */
  readonly password: string;
  /** Text of a private key; empty = the password is it. */
  readonly privateKey: string;
}

/** A server's key. */
export interface HostKey {
  /** `ecdsa-sha2-nistp256` and the like. */
  readonly type: string;
  /** As OpenSSH shows it: `SHA256:` and base64. */
  readonly fingerprint: string;
}

/** Size of a terminal, in characters. */
export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

/** The shell's two ways, as ssh2 gives them. */
export interface Channel {
  on(event: "data", listener: (chunk: Uint8Array) => void): void;
  on(event: "close", listener: () => void): void;
  on(event: "exit", listener: (code: number | null, signal?: string) => void): void;
  write(data: string | Uint8Array): boolean;
  pause(): void;
  resume(): void;
  setWindow(rows: number, cols: number, height: number, width: number): void;
  readonly stderr: { on(event: "data", listener: (chunk: Uint8Array) => void): void };
}

/** An error of ssh2's, which says in what it happened. */
interface ClientError extends Error {
  readonly level?: string;
}

/** What is used of ssh2's client; the package has no types. */
interface Client {
  connect(options: Readonly<Record<string, unknown>>): void;
  on(event: "ready" | "close", listener: () => void): void;
  on(event: "error", listener: (error: ClientError) => void): void;
  on(
    event: "keyboard-interactive",
    listener: (
      name: string,
      instructions: string,
      language: string,
      prompts: readonly { readonly echo: boolean }[],
      finish: (answers: readonly string[]) => void,
    ) => void,
  ): void;
  shell(
    terminal: Readonly<Record<string, unknown>>,
    done: (error: Error | undefined, channel: Channel) => void,
  ): void;
  end(): void;
}

/** A server whose key is not the one that was confirmed. */
export class HostKeyChanged extends Error {
  override readonly name: string = "HostKeyChanged";
}

/** What a login needs beside whom to log in. */
export interface SessionOptions {
  readonly known: KnownHosts;
  /** Asked about the key of a host that is not known. @returns Whether it is to be trusted. */
  readonly confirm: (key: HostKey) => Promise<boolean>;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
}

/** Somebody who is logged in. */
export class SshSession {
  /** Fulfilled at the end of the connection: null, or why it ended. */
  readonly ended: Promise<Error | null>;
  readonly #client: Client;

  private constructor(client: Client, ended: Promise<Error | null>) {
    this.#client = client;
    this.ended = ended;
  }

  /**
   * Connects and logs in.
   *
   * @throws {HostKeyChanged} If the server's key is not the one that was confirmed.
   */
  static async open(
    stack: NetworkStack,
    login: Login,
    { known, confirm, signal }: SessionOptions,
  ): Promise<SshSession> {
    checkPrivateKey(login);
    const { hostname, port } = login;
    const connection = await stack.connect({ hostname, port, noDelay: true, signal });
    const sock = toDuplex(connection);
    const client: Client = new ssh2.Client();
    let failure: Error | null = null;
    const ended = new Promise<Error | null>((resolve) => {
      client.on("error", (error) => (failure ??= error));
      client.on("close", () => resolve(failure));
    });
    const fail = (error: Error): void => {
      failure ??= error;
      sock.destroy();
    };
    const abort = (): void => fail(new Error("The attempt was ended"));
    signal.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => {
      fail(new Error(`No SSH server answers at ${hostname} port ${port}: is it another service?`));
    }, HOST_KEY_MS);
    const verifier = (key: Uint8Array, verify: (isTrusted: boolean) => void): void => {
      clearTimeout(timer);
      isTrusted(key, hostName(hostname, port), known, confirm).then(verify, fail);
    };
    const ready = new Promise<void>((resolve) => client.on("ready", resolve));
    answerQuestions(client, login);
    client.connect({ sock, ...credentials(login), hostVerifier: verifier });
    try {
      const outcome = await Promise.race([ready, ended]);
      if (outcome === undefined) return new SshSession(client, ended);
      throw explained(outcome ?? new Error("The server closed the connection"), login);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Starts the user's shell on a terminal. */
  shell({ cols, rows }: TerminalSize): Promise<Channel> {
    return new Promise((resolve, reject) => {
      this.#client.shell({ term: TERM, cols, rows }, (error, channel) => {
        if (error !== undefined) reject(error);
        else resolve(channel);
      });
    });
  }

  /** Says goodbye to the server. */
  end(): void {
    this.#client.end();
  }
}

function credentials({ username, password, privateKey }: Login): Record<string, unknown> {
  const how = privateKey === ""
    ? { password, tryKeyboard: true }
    : { privateKey, passphrase: password };
  // How long a person looks at a fingerprint is not ssh2's affair: there is a timer of our own before it.
  return { username, ...how, readyTimeout: 0, keepaliveInterval: KEEPALIVE_MS };
}

/** Servers that ask for the password in a dialogue of their own are given it; what would be shown while typed is not it. */
function answerQuestions(client: Client, { password }: Login): void {
  client.on("keyboard-interactive", (_name, _instructions, _language, prompts, finish) => {
    finish(prompts.map(({ echo }) => echo ? "" : password));
  });
}

async function isTrusted(
  bytes: Uint8Array,
  host: string,
  known: KnownHosts,
  confirm: (key: HostKey) => Promise<boolean>,
): Promise<boolean> {
  const key = hostKeyOf(bytes);
  const trust = known.check(host, key.fingerprint);
  if (trust === "same") return true;
  if (trust === "changed") {
    throw new HostKeyChanged(
      `The key of ${host} has changed: it is ${key.fingerprint} (${key.type}), and ` +
        `${
          known.fingerprintOf(host)
        } was confirmed before. Somebody may be between you and the server; nothing was sent.`,
    );
  }
  if (!await confirm(key)) throw new Error(`The key of ${host} was not confirmed`);
  known.remember(host, key.fingerprint);
  return true;
}

/** Reads a key as it goes over the wire: it begins with its type, a string with a length (RFC 4253 section 6.6). */
function hostKeyOf(bytes: Uint8Array): HostKey {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const type = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  // Not by the page's own SubtleCrypto, which is not there on a page that came by HTTP from another host.
  const digest = createHash("sha256").update(bytes).digest("base64").replace(/=+$/, "");
  return { type, fingerprint: `SHA256:${digest}` };
}

/** A key that can not be used is told before anything is sent. */
function checkPrivateKey({ privateKey, password }: Login): void {
  if (privateKey === "") return;
  const what = "a page reads ECDSA and RSA keys, best as `ssh-keygen -m PEM` writes them";
  let parsed;
  try {
    parsed = ssh2.utils.parseKey(privateKey, password);
  } catch (error) {
    parsed = error;
  }
  if (parsed instanceof Error) {
    throw new Error(`Cannot read the private key: ${parsed.message}; ${what}`);
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (!key.isPrivateKey()) {
    throw new Error("Cannot log in by a public key: paste the private one");
  }
  if (!/^(ecdsa-|ssh-rsa)/.test(key.type)) {
    throw new Error(`Cannot use a key of type ${key.type}: ${what}`);
  }
}

function explained(error: ClientError, { username, privateKey }: Login): Error {
  if (error.level !== "client-authentication") return error;
  const by = privateKey === "" ? "this password" : "this key";
  return new Error(`The server does not let ${username} in by ${by}`, { cause: error });
}
