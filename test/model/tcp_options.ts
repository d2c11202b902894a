/** Plain twin of the reader in as/wire/tcp_options.ts: options become a list, the list becomes a record. */

/** What a segment's options say. */
export interface Options {
  mss: number | undefined;
  windowScale: number | undefined;
  sackPermitted: boolean;
  sack: number[] | undefined;
  timestamps: [val: number, ecr: number] | undefined;
  userTimeout: number | undefined;
}

function word(data: readonly number[], at: number): number {
  return data.slice(at, at + 4).reduce((value, byte) => value * 256 + byte, 0);
}

/** Splits a string of options; undefined if a length can not be. */
function split(text: readonly number[]): [kind: number, data: readonly number[]][] | undefined {
  const found: [number, readonly number[]][] = [];
  let rest = text;
  while (rest.length > 0) {
    const [kind, length] = rest;
    if (kind === undefined || kind === 0) break;
    if (kind === 1) {
      rest = rest.slice(1);
      continue;
    }
    if (length === undefined || length < 2 || length > rest.length) return undefined;
    found.push([kind, rest.slice(2, length)]);
    rest = rest.slice(length);
  }
  return found;
}

/** Bytes of data that a kind has. */
function isLengthRight(kind: number, bytes: number): boolean {
  if (kind === 2) return bytes === 2;
  if (kind === 3) return bytes === 1;
  if (kind === 4) return bytes === 0;
  if (kind === 5) return bytes > 0 && bytes % 8 === 0;
  return kind !== 8 || bytes === 8;
}

/** Reads options; undefined if the segment is to be dropped. */
export function parseTcpOptions(text: readonly number[]): Options | undefined {
  const options: Options = {
    mss: undefined,
    windowScale: undefined,
    sackPermitted: false,
    sack: undefined,
    timestamps: undefined,
    userTimeout: undefined,
  };
  const list = split(text);
  if (list === undefined) return undefined;
  for (const [kind, data] of list) {
    if (!isLengthRight(kind, data.length)) return undefined;
    if (kind === 2) options.mss = word([0, 0, ...data], 0);
    if (kind === 3) options.windowScale = Math.min(14, data[0] ?? 0);
    if (kind === 4) options.sackPermitted = true;
    if (kind === 5) options.sack = data.flatMap((_, i) => i % 4 === 0 ? [word(data, i)] : []);
    if (kind === 28 && data.length === 2) options.userTimeout = word([0, 0, ...data], 0);
    if (kind === 8) options.timestamps = [word(data, 0), word(data, 4)];
  }
  return options;
}
