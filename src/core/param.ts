/** Writes endpoints into Param, for calls that take more than fits in registers. */
import {
  PARAM_LOCAL_ADDR_A,
  PARAM_LOCAL_PORT,
  PARAM_REMOTE_ADDR_A,
  PARAM_REMOTE_PORT,
} from "../layout/layout.gen.ts";
import { type Endpoint, writeAddress } from "./info_view.ts";

/**
 * Writes the local address and port.
 *
 * @param view All of linear memory.
 * @param param Where Param lies.
 */
export function writeLocal(view: DataView, param: number, { address, port }: Endpoint): void {
  writeAddress(view, param + PARAM_LOCAL_ADDR_A, address);
  view.setUint16(param + PARAM_LOCAL_PORT, port, true);
}

/** Writes the remote ones. */
export function writeRemote(view: DataView, param: number, { address, port }: Endpoint): void {
  writeAddress(view, param + PARAM_REMOTE_ADDR_A, address);
  view.setUint16(param + PARAM_REMOTE_PORT, port, true);
}
