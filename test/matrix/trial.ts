/** What the rows of the matrix are written with: a face, what it is tried against, and words for what happens. */

/** One end of a connection, in a face or in the peer. What it rejects with is the face's own. */
export interface End {
  readonly localPort: number;
  readonly remotePort: number;
  /** What came; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** Writes all of it, as far as the face's own back-pressure goes. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our direction. */
  end(): Promise<void>;
  /** Ends the connection, as the face does it. */
  close(): Promise<void>;
  /** Resets it; absent where the face has no such thing. */
  reset?(): void;
  /** Settles when the connection has ended; absent where the face has no such thing. */
  readonly closed?: Promise<unknown>;
  /** Reads into a buffer of so many bytes; absent where the face has no such thing. */
  readInto?(bytes: number): Promise<Uint8Array | null>;
}

/** A listening port. */
export interface Door {
  readonly port: number;
  accept(): Promise<End>;
  close(): void;
  /** The connections until it is closed; absent where the face has no such thing. */
  each?(): AsyncIterable<End>;
}

/** Where to connect to. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  readonly signal?: AbortSignal;
  /** Whether our direction stays open when the peer's has ended. Default true, whatever the face's default is. */
  readonly halfOpen?: boolean;
}

/** Where to listen. */
export interface Place {
  readonly port: number;
  readonly hostname?: string;
  readonly backlog?: number;
}

/** A face. */
export interface Face {
  connect(target: Target): Promise<End>;
  /** Absent where the face has no such thing. */
  listen?(place: Place): Promise<Door>;
  /** Whether `connect()` heeds a signal. */
  readonly takesSignal: boolean;
  /** What its ends and doors have of what not all of them have. */
  readonly can: Readonly<Record<"reset" | "closed" | "readInto" | "each", boolean>>;
  /** What the face says of an error, in its own words: a code, or the name of a class. */
  word(error: unknown): string;
}

/** Who is on the other side; the same in all columns, so that differences are the face's. */
export interface Peer {
  /** Where the face finds the peer. */
  readonly hostname: string;
  /** Listens on a port, any by default, and does something with each connection. @returns The port. */
  serve(each: (end: Required<Pick<End, "reset">> & End) => Promise<unknown>): Promise<number>;
  /** Connects to a port of the face's. */
  dial(port: number): Promise<Required<Pick<End, "reset">> & End>;
  /** A port on which nobody listens. */
  deadPort(): Promise<number>;
}

/** What a row has. */
export interface Trial {
  readonly face: Face;
  readonly peer: Peer;
  /** Cuts the cable without a word; only over a cable of ours. */
  readonly cut?: () => void;
}

/** What a row needs and not every column has. */
export type Need = "listen" | "signal" | "reset" | "closed" | "readInto" | "each" | "cable";

/** One behaviour. */
export interface Row {
  readonly name: string;
  /** What has to come out; `{refused}` stands for the face's own word for it. */
  readonly expects: string;
  readonly needs?: readonly Need[];
  /** Whether it keeps the processor busy, so that others would be late meanwhile. */
  readonly isHeavy?: true;
  /** Columns in which something else is right, and why. */
  readonly differs?: Readonly<Record<string, { readonly out: string; readonly why: string }>>;
  run(trial: Trial): Promise<string>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Text of bytes; "end" for the end. */
export function text(chunk: Uint8Array | null): string {
  return chunk === null ? "end" : decoder.decode(chunk);
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What comes at once has come by then, however busy the machine is, ms. */
export const AT_ONCE_MS = 2_000;

/** What became of a promise: `said`, or the face's word for what it rejects with. */
export async function fate(face: Face, work: Promise<unknown>, said = "ok"): Promise<string> {
  try {
    await work;
    return said;
  } catch (error) {
    return face.word(error);
  }
}

/** "waits" if nothing becomes of it in so many ms, else its fate. */
export async function fateWithin(
  face: Face,
  work: Promise<unknown>,
  ms: number,
  said = "ok",
): Promise<string> {
  return await Promise.race([fate(face, work, said), pause(ms).then(() => "waits")]);
}

/** Reads to the end or an error; says how many bytes there were and how it ended. */
export async function drain(end: End, word: (error: unknown) => string): Promise<string> {
  let count = 0;
  try {
    for (;;) {
      const chunk = await end.read();
      if (chunk === null) return `${count} bytes, end`;
      count += chunk.length;
    }
  } catch (error) {
    return `${count} bytes, ${word(error)}`;
  }
}

/** Reads exactly so many bytes, or what there is before the end. */
export async function take(end: End, count: number): Promise<Uint8Array> {
  const all = new Uint8Array(count);
  let at = 0;
  while (at < count) {
    const chunk = await end.read();
    if (chunk === null) break;
    all.set(chunk.subarray(0, count - at), at);
    at += chunk.length;
  }
  return all.subarray(0, Math.min(at, count));
}

/** Bytes that differ from place to place: a prime number of them before they begin again. */
export function pattern(count: number): Uint8Array {
  const all = new Uint8Array(count);
  for (let i = 0; i < count; i++) all[i] = i % 251;
  return all;
}

/** Reads so many bytes; says whether they are the pattern's. */
export async function takePattern(end: End, count: number): Promise<string> {
  let at = 0;
  while (at < count) {
    const chunk = await end.read();
    if (chunk === null) return `end after ${at}`;
    for (const byte of chunk) if (byte !== at++ % 251) return `wrong at ${at - 1}`;
  }
  return `${at} bytes in order`;
}

/** A promise and its way to settle. */
export function later<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

/** Sends everything back, and ends when the peer does. */
export async function echo(end: End): Promise<void> {
  for (;;) {
    const chunk = await end.read();
    if (chunk === null) break;
    await end.write(chunk);
  }
  await end.end();
}

/** Waits until all has come that the peer has sent by now: the bytes of a later connection come behind it. */
export async function arrival({ face, peer }: Trial): Promise<void> {
  const end = await face.connect({ hostname: peer.hostname, port: await peer.serve(echo) });
  await end.write(bytes("?"));
  await end.read();
}
