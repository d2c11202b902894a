/** Modules of Node that ssh2 imports, and that no session of a terminal uses. */

/** Of `http` and `https`, for tunnels. */
export class Agent {}

/** Of `zlib`: compression is not offered. */
export const constants: Readonly<Record<string, number>> = {};

/** Of `zlib`: ssh2 looks at what it makes when it is loaded. */
export function createInflate(): object {
  return { _handle: {} };
}

/** For default imports. */
export default {};
