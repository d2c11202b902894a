/** What an epoll descriptor watches. */

/** Events that are asked for, and what is handed back with them. */
export interface Watch {
  readonly fd: number;
  /** EPOLL bits. */
  events: number;
  /** What the script gave as data; it comes back. */
  data: number;
  /** What was ready when it was last told, for EPOLLET. */
  told: number;
  /** Entries of the error queue that were added by then. */
  toldErrors: number;
  /** EPOLLONESHOT: told once. */
  isSpent: boolean;
}

/** An epoll descriptor. */
export class Epoll {
  /** By descriptor, in the order of entering. */
  readonly watches: Map<number, Watch> = new Map();
}
