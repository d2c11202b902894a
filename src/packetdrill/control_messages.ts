/** Control messages of recvmsg(): what a socket gives, and whether it is what the script says. */
import type { ControlMessage } from "./error_queue.ts";
import type { Mismatch } from "./socket.ts";
import type { Expr } from "./syntax.ts";
import { field, fieldsOf, itemsOf, numberOrAny, type Place } from "./values.ts";

/** How far a time may be from that of the script: what events may by default, ns. */
const TIME_SLACK_NS = 4_000_000;
const NS_PER_S = 1_000_000_000;

function show(messages: readonly ControlMessage[]): string {
  return messages.map(({ level, type, data }) => {
    const shown = typeof data === "number"
      ? String(data)
      : [...data].map(([name, value]) => `${name}=${value}`).join(",");
    return `${level}/${type}: ${shown}`;
  }).join("; ") || "none";
}

function read(place: Place, expr: Expr): ControlMessage | null {
  const fields = fieldsOf(place, expr);
  const number = (name: string): number | null => {
    const value = field(fields, name);
    return value === undefined ? null : numberOrAny(place, value);
  };
  const [level, type, data] = [
    number("cmsg_level"),
    number("cmsg_type"),
    field(fields, "cmsg_data"),
  ];
  if (level === null || type === null || data === undefined || data.kind === "any") return null;
  if (data.kind !== "struct") return { level, type, data: numberOrAny(place, data) ?? 0 };
  const pairs = data.fields.flatMap(({ name, value }): [string, number][] => {
    const wanted = numberOrAny(place, value);
    return name === null || wanted === null ? [] : [[name, wanted]];
  });
  return { level, type, data: new Map(pairs) };
}

function isSameData(wanted: ControlMessage["data"], actual: ControlMessage["data"]): boolean {
  if (typeof wanted === "number" || typeof actual === "number") return wanted === actual;
  const time = (data: ReadonlyMap<string, number>): number =>
    ((data.get("scm_sec") ?? 0) * NS_PER_S) + (data.get("scm_nsec") ?? 0);
  if (wanted.has("scm_sec")) return Math.abs(time(wanted) - time(actual)) <= TIME_SLACK_NS;
  return [...wanted].every(([name, value]) => actual.get(name) === value);
}

/**
 * Compares what was given with what the script expects.
 *
 * @param expr The value of `msg_control`; undefined if the script says nothing of it.
 * @returns What differs, or null.
 */
export function controlMismatch(
  place: Place,
  expr: Expr | undefined,
  actual: readonly ControlMessage[],
): Mismatch | null {
  if (expr === undefined || expr.kind === "any") return null;
  const wanted = itemsOf(place, expr).map((item) => read(place, item));
  const isSame = wanted.length === actual.length && wanted.every((message, i) => {
    const given = actual[i];
    if (message === null || given === undefined) return message === null;
    return message.level === given.level && message.type === given.type &&
      isSameData(message.data, given.data);
  });
  if (isSame) return null;
  const expected = show(wanted.filter((message) => message !== null));
  return { what: "control messages", expected, got: show(actual) };
}
