/** One end of a connection, as everybody sees it. */

/** One end of a connection. */
export interface NetAddress {
  /** IP address in text form. */
  readonly hostname: string;
  /** Port, 0 to 65535. */
  readonly port: number;
}
