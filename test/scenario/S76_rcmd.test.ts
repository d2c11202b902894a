/** S76: the documents' concurrent server, as the example ships it, with clients on a cable. */
import { describe, expect, test } from "vitest";
import { RCMD_PORT, serveCommands } from "../../docs/examples/rcmd_server.ts";
import { InProcessStack } from "../../src/api/network_stack.ts";
import type { TcpConnection } from "../../src/options.ts";
import { Hosts } from "./hosts.ts";

/** More turns than any exchange takes. */
const TURNS_MAX = 2000;

/** Lets time and promises pass until something has happened. */
async function until<T>(hosts: Hosts, wanted: Promise<T>): Promise<T> {
  let isSettled = false;
  void wanted.finally(() => isSettled = true).catch(() => {});
  for (let turn = 0; turn < TURNS_MAX && !isSettled; turn++) {
    hosts.pass(1);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  if (!isSettled) throw new Error("What was waited for did not happen");
  return await wanted;
}

/** A client that types lines and reads as far as a text. */
class Terminal {
  readonly #hosts: Hosts;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = "";

  constructor(hosts: Hosts, connection: TcpConnection) {
    this.#hosts = hosts;
    this.#writer = connection.writable.getWriter();
    this.#reader = connection.readable.getReader();
  }

  /** What arrives up to the end of a text, or up to the end of the connection for null. */
  async upTo(end: string | null): Promise<string> {
    for (;;) {
      const at = end === null ? -1 : this.#text.indexOf(end);
      if (end !== null && at >= 0) {
        const found = this.#text.slice(0, at + end.length);
        this.#text = this.#text.slice(at + end.length);
        return found;
      }
      const { done, value } = await until(this.#hosts, this.#reader.read());
      if (done && end === null) return this.#text;
      if (done) throw new Error(`The connection ended after "${this.#text}"`);
      this.#text += new TextDecoder().decode(value);
    }
  }

  async type(line: string): Promise<void> {
    await until(this.#hosts, this.#writer.write(new TextEncoder().encode(`${line}\n`)));
  }
}

function start(): {
  hosts: Hosts;
  log: string[];
  serving: Promise<void>;
  open: () => Promise<Terminal>;
} {
  const hosts = new Hosts();
  const log: string[] = [];
  const server = new InProcessStack(hosts.at("B"));
  const client = new InProcessStack(hosts.at("A"));
  const serving = serveCommands(server, RCMD_PORT, (line) => log.push(line));
  const open = async (): Promise<Terminal> => {
    const connecting = client.connect({ hostname: "10.0.0.2", port: RCMD_PORT });
    return new Terminal(hosts, await until(hosts, connecting));
  };
  return { hosts, log, serving, open };
}

describe("S76 the remote command server", () => {
  test("prompts, does a command, and x ends the session alone", async () => {
    const { log, open } = start();
    const one = await open();
    expect(await one.upTo("@")).toBe("SVR1>@");
    await one.type("echo hello, world");
    expect(await one.upTo("@")).toBe("hello, world\nSVR1>@");
    await one.type("rm -r /");
    expect(await one.upTo("@")).toBe('There is no command "rm": see help\nSVR1>@');
    await one.type("x");
    expect(await one.upTo(null)).toBe("");
    expect(log).toEqual([
      "SVR1 command was: echo hello, world",
      "SVR1 command was: rm -r /",
      "SVR1 command was: x",
    ]);
    const next = await open();
    expect(await next.upTo("@")).toBe("SVR2>@");
  });

  test("serves two at one time, each by itself", async () => {
    const { open } = start();
    const one = await open();
    const other = await open();
    expect([await other.upTo("@"), await one.upTo("@")]).toEqual(["SVR2>@", "SVR1>@"]);
    await other.type("who");
    expect(await other.upTo("@")).toMatch(/^SVR1 10\.0\.0\.1\.\d+\nSVR2 10\.0\.0\.1\.\d+\nSVR2>@$/);
    await one.type("netstat");
    expect(await one.upTo("@")).toMatch(
      /^(tcp 10\.0\.0\.2\.2514 10\.0\.0\.1\.\d+ ESTABLISHED\n){2}SVR1>@$/,
    );
  });

  test("z ends the server; a session that is open goes on to its end", async () => {
    const { hosts, serving, open } = start();
    const one = await open();
    const other = await open();
    await one.upTo("@");
    await other.upTo("@");
    await one.type("z");
    expect(await one.upTo(null)).toBe("");
    await expect(open()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await other.type("echo still here");
    expect(await other.upTo("@")).toBe("still here\nSVR2>@");
    await other.type("x");
    await until(hosts, serving);
  });
});
