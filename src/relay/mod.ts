/**
 * The relay as a library: what `npx tidewire relay` starts, within a program of Node, Deno or Bun.
 *
 * @example
 * ```ts ignore
 * import { openRelay } from "@tidewire/tidewire/relay";
 *
 * await using relay = await openRelay({ origins: ["https://app.example"] });
 * console.log(relay.url, relay.token);
 * ```
 * @module
 */
import { offload } from "../link/offload.ts";
import { openTap } from "../link/tap.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { systemRandom } from "../runtime/system_random.ts";
import { parseEgressRule } from "./egress.ts";
import { userNetwork } from "./gateway.ts";
import { noLog } from "./log.ts";
import { servePage } from "./page.ts";
import { makeToken } from "./protocol.ts";
import { type RelayNetwork, startRelay } from "./server.ts";
import { tapNetwork } from "./tap_bridge.ts";

const PORT_MAX = 65_535;

/** Shorter ones can be guessed. */
const TOKEN_MIN_CHARACTERS = 16;

/** Takes one event of the relay: its name and what is known of it, without secrets and without payload. */
export type RelayLog = (
  event: string,
  fields?: Readonly<Record<string, string | number | boolean>>,
) => void;

/** Options of {@linkcode openRelay}. What is absent is closed. */
export interface OpenRelayOptions {
  /** Address to listen on. Default `"127.0.0.1"`. */
  readonly hostname?: string;
  /** Port to listen on; 0, the default, takes any. */
  readonly port?: number;
  /** What clients have to show, 16 characters or more. Default: a random one. */
  readonly token?: string;
  /** Origins of pages that may connect, beside the relay's own. */
  readonly origins?: readonly string[];
  /** Name of a TAP that clients are bridged to. Absent: user mode, which takes no root. */
  readonly tap?: string;
  /** Networks that are closed by default and are opened in user mode: `"192.168.1.0/24:80"`. */
  readonly allow?: readonly string[];
  /** Ports of the host's loopback that clients reach at 10.0.2.2 in user mode. */
  readonly hostPorts?: readonly number[];
  /** Whether clients may publish ports on the host's loopback in user mode. Default false. */
  readonly publish?: boolean;
  /** Folder of files to serve beside the tunnel, a page for one. */
  readonly folder?: string;
  /** Called with each event. */
  readonly log?: RelayLog;
}

/** A relay that runs. */
export interface RunningRelay extends AsyncDisposable {
  /** Address of the tunnel: `websocketLink({ url, token })`. */
  readonly url: string;
  /** Address for browsers, without the token. */
  readonly pageUrl: string;
  /** What clients have to show. */
  readonly token: string;
  /** Closes everything, within two seconds. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a relay.
 *
 * @param options Where to listen, who may come, and where they get to.
 * @returns The relay, once it listens. Rejects with the error of node:net, `EADDRINUSE` for one.
 * @throws {RangeError} If a port, a rule or the token is not usable.
 * @throws {StackError} If the TAP can not be opened.
 */
export async function openRelay(options: OpenRelayOptions = {}): Promise<RunningRelay> {
  const { hostname = "127.0.0.1", port = 0, token = makeToken(), origins = [] } = options;
  checkPort(port, 0);
  if (token.length < TOKEN_MIN_CHARACTERS) {
    throw new RangeError(
      `Cannot start the relay: a token of ${token.length} characters, expected ${TOKEN_MIN_CHARACTERS} or more`,
    );
  }
  const network = await makeNetwork(options);
  const { folder, log = noLog } = options;
  const served = folder === undefined ? {} : { serve: servePage(folder) };
  const parts = { hostname, port, token, origins, network, clock: systemClock(), log };
  try {
    const relay = await startRelay({ ...parts, ...served });
    const close = () => relay.close();
    const { url, pageUrl } = relay;
    return { url, pageUrl, token, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await network.close();
    throw error;
  }
}

async function makeNetwork(options: OpenRelayOptions): Promise<RelayNetwork> {
  const { tap: name, allow = [], hostPorts = [], publish = false, log = noLog } = options;
  const parts = { clock: systemClock(), random: systemRandom(), log };
  for (const port of hostPorts) checkPort(port, 1);
  const egress = { rules: allow.map(parseEgressRule), hostPorts: new Set(hostPorts) };
  if (name === undefined) {
    return userNetwork({ ...parts, egress, publish: publish ? "any" : "off" });
  }
  const opened = await openTap({ name });
  // Where the kernel grants none, clients send large records all the same; they are split before the TAP.
  return await tapNetwork({ ...parts, tap: opened.offload === 0 ? offload(opened) : opened, name });
}

function checkPort(port: number, least: number): void {
  if (Number.isInteger(port) && port >= least && port <= PORT_MAX) return;
  throw new RangeError(`Cannot start the relay on port ${port}: expected ${least} to ${PORT_MAX}`);
}
