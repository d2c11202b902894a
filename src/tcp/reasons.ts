/** Why a connection ended, in words: the core's REASON and STATUS become errors here and nowhere else. */
import {
  REASON_ABORTED,
  REASON_HOST_UNREACHABLE,
  REASON_KEEPALIVE,
  REASON_NAMES,
  REASON_NET_UNREACHABLE,
  REASON_PORT_UNREACHABLE,
  REASON_REFUSED,
  REASON_RESET,
  REASON_TIMED_OUT,
  REASON_UNLISTENED,
  REASON_USER_TIMEOUT,
} from "../layout/layout.gen.ts";
import {
  ConnectionAborted,
  ConnectionRefused,
  ConnectionReset,
  HostUnreachable,
  NetworkUnreachable,
  StackError,
  TimedOut,
} from "../errors.ts";

/**
 * Makes the error of a REASON.
 *
 * @param reason REASON, not REASON_NONE or REASON_NORMAL.
 * @param doing What we were doing, the first half of the message: `Cannot connect to 10.0.0.2:80`.
 * @returns An error with the reason's own class and code.
 */
export function errorOfReason(reason: number, doing: string): StackError {
  switch (reason) {
    case REASON_RESET:
      return new ConnectionReset(`${doing}: the peer sent RST`);
    case REASON_REFUSED:
      return new ConnectionRefused(`${doing}: the peer answered with RST`);
    case REASON_TIMED_OUT:
      return new TimedOut(`${doing}: the peer did not answer in time`);
    case REASON_USER_TIMEOUT:
      return new TimedOut(`${doing}: data was not acknowledged within the user timeout`);
    case REASON_KEEPALIVE:
      return new TimedOut(`${doing}: the peer answers no keepalives`);
    case REASON_ABORTED:
      return new ConnectionAborted(`${doing}: it was aborted`);
    case REASON_HOST_UNREACHABLE:
      return new HostUnreachable(`${doing}: a router says that the host can not be reached`);
    case REASON_NET_UNREACHABLE:
      return new NetworkUnreachable(`${doing}: a router says that the network can not be reached`);
    case REASON_PORT_UNREACHABLE:
      return new ConnectionRefused(`${doing}: the host says that the port can not be reached`);
    case REASON_UNLISTENED:
      return new ConnectionAborted(`${doing}: the listener was closed before it was accepted`);
    default:
      return new StackError("EPROTO", `${doing}: ${REASON_NAMES[reason] ?? `reason ${reason}`}`);
  }
}
