/**
 * A remote command server: it accepts, and serves each client by itself while it accepts the next. The prompt `SVRn>` names the
 * session, `@` says that it is the client's turn to send; `x` ends the session, `z` the server. There is no shell behind it
 * but a fixed list of commands that can do no harm.
 *
 * Here, with the terminal as its client, on a cable that exists only in this process:
 *
 *     deno run --allow-read --allow-env docs/examples/rcmd_server.ts
 *
 * On a TAP device, for clients of the kernel's:
 *
 *     sudo ip tuntap add tap0 mode tap user $USER
 *     sudo ip addr add 10.0.0.1/24 dev tap0
 *     sudo ip link set tap0 up
 *     deno run --allow-ffi --allow-env --allow-read docs/examples/rcmd_server.ts tap0 10.0.0.2/24
 *     nc 10.0.0.2 2514
 */
import { createStack, type NetworkStack, type TcpConnection } from "../../src/mod.ts";
import { pipe } from "../../src/link/pipe.ts";
import { openTap } from "../../src/link/tap.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

/** Where it listens, unless told otherwise. */
export const RCMD_PORT = 2514;
/** Connections that may wait while it is busy, as in `listen(sock, 4)`. */
const BACKLOG = 4;
/** A longer line is no command. */
const LINE_MAX = 200;

const encoder = new TextEncoder();

/** What a command may look at. */
interface Session {
  readonly id: number;
  readonly connection: TcpConnection;
  readonly stack: NetworkStack;
  readonly sessions: ReadonlySet<Session>;
}

/** The commands: each answers text. */
const COMMANDS: Readonly<
  Record<string, (words: readonly string[], session: Session) => string | Promise<string>>
> = {
  help: () => `${Object.keys(COMMANDS).join(" ")}, x ends the session, z the server\n`,
  echo: (words) => `${words.join(" ")}\n`,
  who: (_words, { sessions }) =>
    [...sessions].map(({ id, connection }) =>
      `SVR${id} ${connection.remoteAddress.hostname}.${connection.remoteAddress.port}\n`
    ).join(""),
  netstat: async (_words, { stack }) =>
    (await stack.connections()).map(({ localAddress: ours, remoteAddress: theirs, state }) =>
      `tcp ${ours.hostname}.${ours.port} ${theirs.hostname}.${theirs.port} ${state}\n`
    ).join(""),
};

/**
 * Serves until a client types `z`; sessions that are open then go on until they end.
 *
 * @param stack Where it listens.
 * @param port The port.
 * @param log Told what happens, line by line.
 */
export async function serveCommands(
  stack: NetworkStack,
  port: number = RCMD_PORT,
  log: (line: string) => void = () => {},
): Promise<void> {
  const listener = await stack.listen({ port, backlog: BACKLOG });
  const sessions = new Set<Session>();
  const running: Promise<void>[] = [];
  let id = 0;
  for await (const connection of listener) {
    const session: Session = { id: ++id, connection, stack, sessions };
    sessions.add(session);
    // One client's trouble is not the server's.
    const ended = serve(session, log, () => listener.close())
      .catch((error) => log(`SVR${session.id}: ${error}`))
      .finally(() => sessions.delete(session));
    running.push(ended);
  }
  await Promise.all(running);
}

/** One session. @param stop Ends the server. */
async function serve(
  session: Session,
  log: (line: string) => void,
  stop: () => void,
): Promise<void> {
  const { id, connection } = session;
  const writer = connection.writable.getWriter();
  const prompt = encoder.encode(`SVR${id}>@`);
  await writer.write(prompt);
  for await (const line of linesOf(connection)) {
    log(`SVR${id} command was: ${line}`);
    if (line.startsWith("z")) stop();
    if (line.startsWith("x") || line.startsWith("z")) break;
    const [name = "", ...words] = line.trim().split(/\s+/);
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    const answer = command === undefined
      ? `There is no command "${name}": see help\n`
      : await command(words, session);
    await writer.write(encoder.encode(answer));
    await writer.write(prompt);
  }
  await connection.close();
}

/** Lines as they arrive, without their ends; one that is too long ends the session. */
async function* linesOf(connection: TcpConnection): AsyncGenerator<string> {
  let rest = "";
  for await (const text of connection.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield line.replace(/\r$/, "");
    if (rest.length > LINE_MAX) return;
  }
}

/** The server and the terminal as its client, each with a stack of its own, on one cable. */
async function tryIt(): Promise<void> {
  const [left, right] = pipe({ clock: systemClock() });
  await using server = await createStack({ link: left, address: { cidr: "10.0.0.2/24" } });
  await using client = await createStack({ link: right, address: { cidr: "10.0.0.1/24" } });
  const serving = serveCommands(server);
  const connection = await client.connect({ hostname: "10.0.0.2", port: RCMD_PORT });
  const shown = connection.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
  void Deno.stdin.readable.pipeTo(connection.writable).catch(() => {});
  await shown;
  await connection.close();
  // An `x` has ended the session alone; the process ends with its only client.
  await Promise.race([serving, Promise.resolve()]);
}

if (import.meta.main) {
  const [name, cidr = "10.0.0.2/24"] = Deno.args;
  if (name === undefined) {
    await tryIt();
    Deno.exit(0);
  }
  const stack = await createStack({ link: await openTap({ name }), address: { cidr } });
  console.log(`Listening on ${(await stack.ready).address} port ${RCMD_PORT}`);
  await serveCommands(stack, RCMD_PORT, console.error);
  await stack.close();
}
