/**
 * Runs in a namespace: opens the TAP, takes what the network gives, and talks to the kernel behind it. Its first line of JSON is
 * what `ready` told; it ends with the second, after a line came in.
 */
import process from "node:process";
import { createStack } from "../../src/api/network_stack.ts";
import { openTap } from "../../src/link/tap.ts";
import { websocketLink } from "../../src/link/websocket.ts";
import { openRelay } from "../../src/relay/mod.ts";
import type { AddressChoice, AddressInfo } from "../../src/options.ts";

/** What the peer is asked for. */
export interface Ipv6Settings {
  readonly tap: string;
  /** The TAP is a relay's, and the stack is its client. */
  readonly viaRelay: boolean;
  readonly address: AddressChoice;
  /** Where the kernel listens: address and port of an echo server. */
  readonly echo: { readonly hostname: string; readonly port: number };
  /** A port that the peer listens on, and answers with what it hears. */
  readonly port: number;
  /** Bytes that go there and come back. */
  readonly bytes: number;
}

/** What the peer says in the end. */
export interface Ipv6Report {
  /** Bytes that came back from the kernel's echo server, if they were the right ones. */
  readonly echoed: number;
  /** Who has connected to us. */
  readonly visitors: readonly string[];
  /** Code of a connection to a port that nobody listens on. */
  readonly refused: string;
  /** Milliseconds that ping took; null = no reply. */
  readonly pinged: number | null;
  /** Length of the datagram that came back from the kernel. */
  readonly datagram: number;
  readonly address: AddressInfo;
  readonly stats: Record<string, number>;
}

const STEP = 251;

function pattern(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => i % STEP);
}

const settings: Ipv6Settings = JSON.parse(process.argv[2] ?? "");
const { hostname, port } = settings.echo;
const relay = settings.viaRelay ? await openRelay({ tap: settings.tap }) : null;
const link = relay === null
  ? await openTap({ name: settings.tap })
  : websocketLink({ url: relay.url, token: relay.token });
const stack = await createStack({ link, address: settings.address });
process.stdout.write(`${JSON.stringify(await stack.ready)}\n`);

const visitors: string[] = [];
const listener = await stack.listen({ port: settings.port });
const serving = (async () => {
  for await (const connection of listener) {
    visitors.push(connection.remoteAddress.hostname);
    void connection.readable.pipeTo(connection.writable).catch(() => {});
  }
})();

async function echo(): Promise<number> {
  const connection = await stack.connect({ hostname, port });
  const sent = pattern(settings.bytes);
  const writer = connection.writable.getWriter();
  const writing = writer.write(sent).then(() => writer.close());
  let at = 0;
  for await (const chunk of connection.readable) {
    for (const byte of chunk) if (byte !== (at++ % STEP)) return -1;
  }
  await writing;
  return at;
}

async function datagram(): Promise<number> {
  const socket = await stack.bindUdp();
  await socket.send(pattern(4_000), { hostname, port });
  const { data } = await socket.receive();
  socket.close();
  return data.length;
}

const echoed = await echo();
const refused = await stack.connect({ hostname, port: port + 1 }).then(() => "open", (e) => e.code);
const pinged = (await stack.ping(hostname, { count: 2, intervalMs: 10 })).minMs;
const back = await datagram();
process.stdout.write("listening\n");
await new Promise((resolve) => process.stdin.once("data", resolve));
const report: Ipv6Report = {
  ...{ echoed, visitors, refused, pinged, datagram: back },
  address: stack.stack.address ?? await stack.ready,
  stats: await stack.stats(),
};
listener.close();
await serving;
await stack.close();
await relay?.close();
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
