/** An expected segment against an emitted one, field by field. */
import { formatFlags, formatOption, formatSegment, formatTime } from "./format.ts";
import { firstWrong } from "./pattern.ts";
import type { PacketSpec } from "./syntax.ts";
import { FLAG_SYN } from "./wire.ts";
import type { Emission } from "./world.ts";

/** The ECN bits in words. RFC 3168 section 5. */
const ECN_NAMES: readonly string[] = ["not ECT", "ect1", "ect0", "ce"];

/** Relative sequence numbers of a script may be negative. */
function modulo(number: number): number {
  return number >>> 0;
}

function differ(field: string, expected: unknown, actual: unknown): string[] {
  return expected === actual ? [] : [`${field}: expected ${expected}, actual ${actual}`];
}

/** Options are compared in the order of the wire, padding included. */
function differInOptions(expected: PacketSpec, actual: Emission): string[] {
  if (expected.options === null) return [];
  const wanted = expected.options.map(formatOption).join(",");
  const got = (actual.shown.options ?? []).map(formatOption).join(",");
  return differ("options", `<${wanted}>`, `<${got}>`);
}

function differInPayload(expected: PacketSpec, actual: Emission): string[] {
  // A SYN takes a number before its text.
  const first = modulo(expected.seq) + ((expected.flags & FLAG_SYN) === 0 ? 0 : 1);
  const wrong = firstWrong("out", first, actual.wire.payload);
  return wrong < 0 ? [] : [`payload: byte ${wrong} of it is not the one that belongs there`];
}

/**
 * Compares.
 *
 * @param at When it was expected, ms.
 * @param expected What the script says; window and options only if it says something of them.
 * @param actual What was emitted.
 * @returns Every difference, in words; none if it is as expected.
 */
export function differences(at: number, expected: PacketSpec, actual: Emission): string[] {
  const { shown } = actual;
  const found = [
    ...differ("time", formatTime(at), formatTime(actual.at)),
    ...differ("flags", formatFlags(expected.flags), formatFlags(shown.flags)),
    ...differ("ecn", ECN_NAMES[expected.ecn], ECN_NAMES[actual.wire.ecn]),
    ...differ("seq", modulo(expected.seq), shown.seq),
    ...differ("length", expected.bytes, shown.bytes),
    ...differ("ack", modulo(expected.ack), shown.ack),
    ...(expected.win === null ? [] : differ("win", expected.win, shown.win)),
    ...differ("urg", expected.urg, shown.urg),
    ...differInOptions(expected, actual),
  ];
  // Other bytes than those that were expected need no second complaint.
  return found.length > 0 ? found : differInPayload(expected, actual);
}

/** An emission as a line of a trace. */
export function formatEmission(emission: Emission): string {
  return `${formatTime(emission.at)} > ${formatSegment(emission.shown)}`;
}
