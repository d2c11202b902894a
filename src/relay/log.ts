/** What the relay tells its operator: lines of JSON without secrets and without payload. */

/** Lines per second; more are dropped and counted, and the number is told with the next one. */
const LINES_PER_SECOND = 50;

/** Longest value, characters: peers choose some of them. */
const VALUE_MAX = 200;

/** A value of a line. */
export type LogValue = string | number | boolean;

/** Takes one event. */
export type Log = (event: string, fields?: Readonly<Record<string, LogValue>>) => void;

/**
 * Makes a log that can not be flooded.
 *
 * @param write Takes a line without its end.
 * @param nowMs Time in ms for the limit.
 */
export function rateLimitedLog(write: (line: string) => void, nowMs: () => number): Log {
  let second = -1;
  let lines = 0;
  let dropped = 0;
  return (event, fields = {}) => {
    const now = Math.floor(nowMs() / 1_000);
    if (now !== second) {
      second = now;
      lines = 0;
    }
    if (++lines > LINES_PER_SECOND) {
      dropped++;
      return;
    }
    const told = dropped === 0 ? {} : { dropped };
    dropped = 0;
    write(JSON.stringify({ event, ...clean(fields), ...told }));
  };
}

/** JSON escapes control characters; the length is ours to bound. */
function clean(fields: Readonly<Record<string, LogValue>>): Record<string, LogValue> {
  const entries = Object.entries(fields).map(([name, value]) =>
    [name, typeof value === "string" ? value.slice(0, VALUE_MAX) : value] as const
  );
  return Object.fromEntries(entries);
}

/** A log for those who want none. */
export const noLog: Log = () => {};
