import { describe, expect, test } from "vitest";
import { bytesOf, kernelsModule, loadKernels } from "../kernels.ts";
import {
  FAULT_FILE_UNITS,
  FAULT_LINE,
  FAULT_MESSAGE_UNITS,
  FAULT_SET,
  FAULT_SIZE,
  FAULT_SLOT,
  NONE,
} from "../../src/layout/layout.gen.ts";

describe("abort()", () => {
  test("the module imports nothing", () => {
    expect(WebAssembly.Module.imports(kernelsModule())).toEqual([]);
  });

  test("a fact that holds leaves no fault", () => {
    const kernels = loadKernels();
    kernels.assertFact(1);
    const fault = new DataView(kernels.memory.buffer, kernels.faultPtr(), FAULT_SIZE);
    expect(fault.getUint32(FAULT_SET, true)).toBe(0);
  });

  test.each([NONE, 7])("a fact that does not hold traps and tells slot %d", (slot) => {
    const kernels = loadKernels();
    if (slot !== NONE) kernels.setCurrentSlot(slot);
    expect(() => kernels.assertFact(0)).toThrow(WebAssembly.RuntimeError);
    const fault = new DataView(kernels.memory.buffer, kernels.faultPtr(), FAULT_SIZE);
    const messageBytes = 2 * fault.getUint32(FAULT_MESSAGE_UNITS, true);
    const fileBytes = 2 * fault.getUint32(FAULT_FILE_UNITS, true);
    const text = kernels.faultPtr() + FAULT_FILE_UNITS + 4;
    const decode = (from: number, bytes: number): string =>
      new TextDecoder("utf-16le").decode(bytesOf(kernels).slice(from, from + bytes));
    expect(decode(text, messageBytes)).toBe("a fact does not hold");
    expect(decode(text + messageBytes, fileBytes)).toBe("as/kernels.ts");
    expect(fault.getUint32(FAULT_SET, true)).toBe(1);
    expect(fault.getUint32(FAULT_LINE, true)).toBeGreaterThan(0);
    expect(fault.getUint32(FAULT_SLOT, true)).toBe(slot);
  });
});
