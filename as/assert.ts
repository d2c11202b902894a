/**
 * What happens when an assertion fails: the message, the place and the connection are written to the Fault block, and
 * the instance traps. `asc --use abort=as/assert/abort` puts this in place of the import `env.abort`, so the module has
 * no imports; a program that uses `assert` must import this file.
 *
 * An assertion is about our own mistakes. Nothing a peer sends may reach one.
 */
import { Fault, FAULT_FILE_UNITS, FAULT_SIZE, NONE } from "./layout.gen.ts";

const FAULT: usize = memory.data(FAULT_SIZE, 16);
/** The texts follow the last field. */
const TEXT_AT: usize = usize(FAULT_FILE_UNITS) + sizeof<u32>();
/** Room for both texts, in UTF-16 units. */
const TEXT_UNITS: u32 = (u32(FAULT_SIZE) - u32(TEXT_AT)) >> 1;
/** The message's share of it; the rest is the file's. */
const MESSAGE_UNITS_MAX: u32 = 72;

/** Slot of the connection being processed, or NONE: a failed assertion is told with it. */
export let currentSlot: u32 = NONE;

/**
 * Tells which connection is being processed.
 *
 * @param slot Its slot, or NONE.
 */
export function setCurrentSlot(slot: u32): void {
  currentSlot = slot;
}

/**
 * Where the Fault block lies.
 *
 * @returns Its address, which never changes.
 */
export function faultPtr(): usize {
  return FAULT;
}

/** Copies a text, cut to what fits. @returns UTF-16 units copied. */
function writeText(at: usize, text: string | null, most: u32): u32 {
  if (text === null) return 0;
  const length = u32(text.length);
  const units = length < most ? length : most;
  memory.copy(at, changetype<usize>(text), usize(units) << 1);
  return units;
}

/**
 * Writes the Fault block and traps. Called by `assert`, never by hand.
 *
 * @param message What was asserted.
 * @param file Where.
 * @param line Line there, from 1.
 * @param column Column there, from 1.
 */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const fault = changetype<Fault>(FAULT);
  const text = FAULT + TEXT_AT;
  fault.set = 1;
  fault.line = line;
  fault.column = column;
  fault.slot = currentSlot;
  fault.messageUnits = writeText(text, message, MESSAGE_UNITS_MAX);
  fault.fileUnits = writeText(
    text + (usize(fault.messageUnits) << 1),
    file,
    TEXT_UNITS - fault.messageUnits,
  );
  unreachable();
}
