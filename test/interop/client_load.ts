/** What is asked of clients in a tab and in Node alike: rounds, each timed and each told what it got. */

/** What a round took and what came of it. */
export interface Round {
  readonly ms: number;
  /** A sum of numbers that the server has computed, or bytes that it has sent. */
  readonly result: number;
  /** Whether every byte is the one that it has to be. */
  readonly isWhole: boolean;
}

/** A client's rounds. */
export interface Rounds {
  /** Questions one after the other, each once the answer to the one before is there. */
  small(count: number): Promise<Round>;
  /** One answer. */
  large(bytes: number): Promise<Round>;
}

/** What is used of pg's client. */
interface PgClient {
  query(text: string, values: readonly number[]): Promise<{
    readonly rows: readonly { readonly next: number; readonly text: string }[];
  }>;
}

/** A shell of the recipe of ssh2. */
interface Shell {
  say(line: string, expected: RegExp): Promise<string>;
  end(): void;
}

/** What is used of that recipe's `client.mjs`. */
interface Ssh2Recipe {
  execute(client: unknown, command: string): Promise<readonly Uint8Array[]>;
  openShell(client: unknown): Promise<Shell>;
}

/** Rounds of pg: many small answers one after the other, or a large one. */
export function pg(client: PgClient): Rounds {
  return {
    async small(count) {
      const startMs = performance.now();
      let result = 0;
      for (let i = 0; i < count; i++) {
        const { rows } = await client.query("SELECT $1::int + 1 AS next", [i]);
        result += rows[0]?.next ?? 0;
      }
      return { ms: performance.now() - startMs, result, isWhole: true };
    },

    async large(bytes) {
      const word = "tide";
      const times = bytes / word.length;
      const startMs = performance.now();
      const { rows } = await client.query("SELECT repeat('tide', $1::int) AS text", [times]);
      const ms = performance.now() - startMs;
      const text = rows[0]?.text ?? "";
      return { ms, result: text.length, isWhole: text === word.repeat(times) };
    },
  };
}

/** Rounds of ssh2: lines of a shell one after the other, or the output of a command. */
export function ssh2(client: unknown, { execute, openShell }: Ssh2Recipe): Rounds {
  return {
    async small(count) {
      const shell = await openShell(client);
      const startMs = performance.now();
      let result = 0;
      for (let i = 0; i < count; i++) {
        result += Number(await shell.say(`echo "<$((${i} + 1))>"`, /<(\d+)>/));
      }
      const ms = performance.now() - startMs;
      shell.end();
      return { ms, result, isWhole: true };
    },

    async large(bytes) {
      const startMs = performance.now();
      const chunks = await execute(client, `head -c ${bytes} /dev/zero`);
      const ms = performance.now() - startMs;
      const result = chunks.reduce((total, chunk) => total + chunk.length, 0);
      return { ms, result, isWhole: chunks.every(isZero) };
    },
  };
}

/** A loop: `every()` would take longer than the rounds. */
function isZero(chunk: Uint8Array): boolean {
  for (let i = 0; i < chunk.length; i++) {
    if (chunk[i] !== 0) return false;
  }
  return true;
}
