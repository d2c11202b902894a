/** Reads the Fault block: which assertion of the core failed. */
import {
  FAULT_FILE_UNITS,
  FAULT_LINE,
  FAULT_MESSAGE_UNITS,
  FAULT_SET,
  FAULT_SIZE,
} from "../layout/layout.gen.ts";

/** The texts follow the last field, message first. */
const TEXT_AT: number = FAULT_FILE_UNITS + 4;

/** Bytes of a UTF-16 unit. */
const UNIT_BYTES = 2;

/**
 * Says why the core trapped.
 *
 * @param view All of linear memory.
 * @param ptr Boot.faultPtr.
 * @param trap What the engine says.
 * @returns Message, file and line of the assertion; what the engine says if no assertion was written down.
 */
export function describeFault(view: DataView, ptr: number, trap: string): string {
  if (ptr === 0 || view.getUint32(ptr + FAULT_SET, true) === 0) return `The core trapped: ${trap}`;
  const messageUnits = view.getUint32(ptr + FAULT_MESSAGE_UNITS, true);
  const fileUnits = view.getUint32(ptr + FAULT_FILE_UNITS, true);
  const message = readText(view, ptr, TEXT_AT, messageUnits);
  const file = readText(view, ptr, TEXT_AT + (messageUnits * UNIT_BYTES), fileUnits);
  return `The core asserted: ${message} (${file}:${view.getUint32(ptr + FAULT_LINE, true)})`;
}

/** UTF-16 text at an offset of the block, never read beyond its end. */
function readText(view: DataView, ptr: number, offset: number, units: number): string {
  let text = "";
  for (let i = 0; i < units; i++) {
    const at = offset + (i * UNIT_BYTES);
    if (at + UNIT_BYTES > FAULT_SIZE) break;
    text += String.fromCharCode(view.getUint16(ptr + at, true));
  }
  return text;
}
