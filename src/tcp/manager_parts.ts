/** What the connection manager stands on, and what it is asked for. */
import type { Core } from "../core/core.ts";
import type { Endpoint, IpAddress } from "../core/info_view.ts";
import type { RestView } from "../core/rest_view.ts";
import type { TcpOptions } from "../options.ts";
import type { Random } from "../runtime/random.ts";
import type { ConnectionHost } from "./connection.ts";
import type { FastOpenCore } from "./fast_open_cache.ts";
import type { Families } from "./listener.ts";

/** The calls of the core that the manager and its connections make. */
export type ManagerCore =
  & ConnectionHost["core"]
  & Pick<
    Core,
    | "config"
    | "connect"
    | "listen"
    | "unlisten"
    | "setListenerOption"
    | "accepted"
    | "decide"
    | "timeWaits"
    | "tcbs"
  >
  & FastOpenCore
  & { readonly unheld: Pick<RestView, "rows"> };

/** How a destination is reached. */
export interface Path {
  /** Our address towards it. */
  readonly source: IpAddress;
  /** Slot of the next hop; 0 = the table of them is full. */
  readonly hop: number;
}

/** What the manager needs beside the core. */
export interface ManagerParts {
  readonly core: ManagerCore;
  readonly random: Random;
  /** Time for calls of the core, ms; see `Loop`. */
  now(canBeOld?: boolean): number;
  /** Asks for a flush; see `Loop`. */
  wake(canWait?: boolean): void;
  /** How a destination is reached, from an address of ours if one is named; null if it is not. */
  path(remote: IpAddress, local?: IpAddress): Path | null;
  /** Whether an address is ours. */
  isOurs(address: IpAddress): boolean;
}

/** An active open. */
export interface OpenRequest {
  readonly remote: Endpoint;
  /** Our address; absent = the route's. */
  readonly localAddress?: IpAddress;
  /** Our port; 0 or absent = an ephemeral one. */
  readonly localPort?: number;
  /** Allows a port of connections that are closing or rest in TIME-WAIT; the same pair of endpoints is refused all the same. */
  readonly reuseAddress?: boolean;
  /** How long the open may take, ms; 0 or absent = R2 for SYNs. */
  readonly timeoutMs?: number;
  /** Options of the connection. */
  readonly options?: TcpOptions;
  /** Written before the SYN is sent, at most what the send queue takes; with `options.fastOpen` it may go with the SYN. */
  readonly earlyData?: Uint8Array;
}

/** A passive open. */
export interface ListenRequest {
  /** Our port; 0 = an ephemeral one. */
  readonly port: number;
  /** Our address; absent or unspecified = any of the families. */
  readonly address?: IpAddress;
  /** Whose connections are taken if the address is any. Default: both's. */
  readonly families?: Families;
  /** Connections that may wait for `accept()`. */
  readonly backlog?: number;
  /** Allows the port while connections of it are closing or rest in TIME-WAIT. */
  readonly reuseAddress?: boolean;
  /** "host" parks each SYN until its verdict; see `listener.onAsked`. Default: the core accepts. */
  readonly decide?: "core" | "host";
  /** Listens on every port; `port` is ignored. For a gateway. */
  readonly anyPort?: boolean;
  /** Whose connections alone are taken; address 0 = any, port 0 = any. */
  readonly remote?: Endpoint;
  /** Options of its connections. */
  readonly options?: TcpOptions;
}
