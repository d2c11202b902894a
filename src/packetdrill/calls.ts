/** All system calls by their names. */
import { Unsupported } from "./fault.ts";
import type { Attempt } from "./socket.ts";
import { IO_CALLS } from "./socket_io.ts";
import { OPEN_CALLS } from "./socket_open.ts";
import { OPTION_CALLS } from "./socket_options.ts";
import { POLL_CALLS } from "./socket_poll.ts";
import type { CallMaker, Sockets } from "./sockets.ts";
import type { Call } from "./syntax.ts";
import { Arguments } from "./values.ts";

const CALLS: ReadonlyMap<string, CallMaker> = new Map(
  [OPEN_CALLS, IO_CALLS, OPTION_CALLS, POLL_CALLS].flatMap((calls) => Object.entries(calls)),
);

/**
 * Prepares a call.
 *
 * @returns Its attempt, which has done nothing yet.
 * @throws {Unsupported} If there is no such call here.
 */
export function prepareCall(sockets: Sockets, call: Call): Attempt {
  const { file } = sockets;
  const { line, name, args } = call;
  const maker = CALLS.get(name);
  if (maker === undefined) {
    throw new Unsupported(file, line, `the call ${name}() is not known here`);
  }
  return maker(sockets, new Arguments({ file, line }, name, args), call);
}
