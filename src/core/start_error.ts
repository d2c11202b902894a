/** Why a core could not be started, in words. */
import { LAYOUT_HASH, STATUS_NAMES, STATUS_NO_MEMORY } from "../layout/layout.gen.ts";
import { type CoreConfig, MIB } from "./core_config.ts";

/** WebAssembly's page, bytes. */
const PAGE_BYTES = 65_536;

/** As many as the core's references can tell apart. */
const CONNECTIONS_MAX = 8_388_608;

/** The error of a start. @param status STATUS, not negated. */
export function startError(status: number, config: CoreConfig): RangeError {
  const name = STATUS_NAMES[status] ?? status;
  const mib = config.memoryBytes / MIB;
  if (status === STATUS_NO_MEMORY) {
    return new RangeError(
      `Cannot start the core: ${mib} MiB of memory can not be had, or are too few for ` +
        `${config.maxConnections} connections`,
    );
  }
  return new RangeError(
    `Cannot start the core: ${name}; memory ${mib} MiB (a multiple of ${PAGE_BYTES} bytes), ` +
      `MTU ${config.mtu}, ${config.maxConnections} connections (1 to ${CONNECTIONS_MAX})`,
  );
}

/** The error of a core of other sources. @param hash Its layout's. */
export function layoutError(hash: number): TypeError {
  const [found, expected] = [hash, LAYOUT_HASH].map((each) => each.toString(16));
  return new TypeError(
    `Cannot start the core: its layout is ${found}, expected ${expected}; it was built from other sources than this host`,
  );
}
