/** The table of connections as netstat prints it: protocol, queues, both ends, state; a wildcard is a star. */
import { formatIp, type Ip, isUnspecified } from "../net/addresses.ts";
import { stateName } from "../core/info_view.ts";
import type { Stack } from "../stack.ts";
import { toNetAddress } from "../tcp/connection_info.ts";

/** A connection: held by somebody, or going on by itself. */
export interface ConnectedRow {
  readonly receiveQueuedBytes: number;
  readonly sendQueuedBytes: number;
  readonly localAddress: { readonly hostname: string; readonly port: number };
  readonly remoteAddress: { readonly hostname: string; readonly port: number };
  /** State's name as RFC 9293 writes it. */
  readonly state: string;
}

/** Something that listens. */
export interface ListeningRow {
  /** Our address; 0 = any. */
  readonly address: Ip;
  readonly port: number;
}

const HEAD = ["Proto", "Recv-Q", "Send-Q", "Local Address", "Foreign Address", "(state)"];

/** Widths of the columns, in characters; longer text moves the rest on. */
const WIDTHS = [5, 6, 6, 22, 22, 0];

/** Columns that are numbers stand to the right. */
const RIGHT: ReadonlySet<number> = new Set([1, 2]);

/** An endpoint with its port after a dot. */
function endpoint(hostname: string, port: number): string {
  return `${hostname}.${port === 0 ? "*" : port}`;
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => {
    const width = WIDTHS[i] ?? 0;
    return RIGHT.has(i) ? cell.padStart(width) : cell.padEnd(width);
  }).join(" ").trimEnd();
}

/**
 * Prints the table: connections first, the newest first, then what listens.
 *
 * @param rows Connections, TIME-WAIT included.
 * @param listening What listens.
 * @returns Lines, each with its line break.
 * @example
 * ```ts
 * netstat(stack.manager.rows(), [{ address: 0, port: 23 }]);
 * // Proto Recv-Q Send-Q Local Address          Foreign Address        (state)
 * // tcp        0      0 *.23                   *.*                    LISTEN
 * ```
 */
export function netstat(
  rows: readonly ConnectedRow[],
  listening: readonly ListeningRow[],
): string {
  const lines = [line(HEAD)];
  for (const row of [...rows].reverse()) {
    lines.push(line([
      "tcp",
      String(row.receiveQueuedBytes),
      String(row.sendQueuedBytes),
      endpoint(row.localAddress.hostname, row.localAddress.port),
      endpoint(row.remoteAddress.hostname, row.remoteAddress.port),
      row.state.replaceAll("-", "_"),
    ]));
  }
  for (const { address, port } of listening) {
    const local = endpoint(isUnspecified(address) ? "*" : formatIp(address), port);
    lines.push(line(["tcp", "0", "0", local, "*.*", "LISTEN"]));
  }
  return `${lines.join("\n")}\n`;
}

/** Prints the table of a stack. */
export function netstatOf({ manager }: Stack): string {
  const resting = manager.resting().map(({ local, remote, state }) => ({
    receiveQueuedBytes: 0,
    sendQueuedBytes: 0,
    localAddress: toNetAddress(local),
    remoteAddress: toNetAddress(remote),
    state: stateName(state),
  }));
  return netstat([...resting, ...manager.rows()], manager.listening());
}
