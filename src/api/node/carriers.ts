/** Which carrier a connection gets. */
import type { TcpConnection } from "../../options.ts";
import { StreamConnection } from "../tcp_connection.ts";
import type { Carrier } from "./carrier.ts";
import { RingCarrier } from "./ring_carrier.ts";
import { StreamCarrier } from "./stream_carrier.ts";

/** The carrier of a connection whose streams nobody has asked for. */
export function carrierOf(connection: TcpConnection): Carrier {
  return connection instanceof StreamConnection
    ? new RingCarrier(connection)
    : new StreamCarrier(connection);
}
