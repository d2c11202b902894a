/** Where a case finds the network that was made for it; its parts are programs that run beside it. */

/** A TAP of its own, and the kernel behind it. */
export interface TapPlace {
  readonly name: string;
  /** Ours, with the prefix length. */
  readonly cidr: string;
  /** The kernel's address. */
  readonly kernel: string;
}

/** What stands ready. */
export interface Setting {
  /** Port of the kernel's byte service, at every address of the kernel. */
  readonly port: number;
  /** Two TAPs, for the case `tap`. */
  readonly plainTap?: TapPlace;
  readonly vnetTap?: TapPlace;
  /** For the case `tunnel`. */
  readonly tunnel?: {
    /** WebSocket of a relay with a TAP. */
    readonly relayUrl: string;
    readonly token: string;
    /** The kernel's address behind it. */
    readonly kernel: string;
    /** WebSocket that is piped to the byte service, without TCP in the client. */
    readonly pipeUrl: string;
    /** WebSocket that is the byte service itself. */
    readonly rawUrl: string;
  };
}

/** Networks that a case can need. */
export type SettingName = "tap" | "tunnel";
