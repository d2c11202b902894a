import { describe, expect, test } from "vitest";
import * as layout from "../../src/layout/layout.gen.ts";
import { generate } from "../../src/layout/generate.ts";
import { ENUMS, STRUCTS } from "../../src/layout/schema.ts";
import type { ScalarType } from "../../src/layout/schema_types.ts";

const BYTES: Record<ScalarType, number> = { u8: 1, u16: 2, u32: 4, u64: 8, f64: 8 };
const constants = layout as unknown as Record<string, number>;

function screaming(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

function write(view: DataView, type: ScalarType, offset: number, value: number): void {
  if (type === "u8") view.setUint8(offset, value);
  else if (type === "u16") view.setUint16(offset, value, true);
  else if (type === "u32") view.setUint32(offset, value, true);
  else if (type === "u64") view.setBigUint64(offset, BigInt(value), true);
  else view.setFloat64(offset, value, true);
}

function read(view: DataView, type: ScalarType, offset: number): number {
  if (type === "u8") return view.getUint8(offset);
  if (type === "u16") return view.getUint16(offset, true);
  if (type === "u32") return view.getUint32(offset, true);
  if (type === "u64") return Number(view.getBigUint64(offset, true));
  return view.getFloat64(offset, true);
}

describe("the memory map", () => {
  for (const { name, size, fields } of STRUCTS) {
    test(`${name}: every field is written and read back, and none touches another`, () => {
      const view = new DataView(new ArrayBuffer(size));
      const offsetOf = (field: string): number => {
        const offset = constants[`${screaming(name)}_${screaming(field)}`];
        if (offset === undefined) throw new Error(`${name}.${field} has no constant`);
        return offset;
      };
      fields.forEach(([field, type], i) => write(view, type, offsetOf(field), i + 1));
      fields.forEach(([field, type], i) =>
        expect(read(view, type, offsetOf(field)), field).toBe(i + 1)
      );
      const used = fields.reduce((sum, [, type]) => sum + BYTES[type], 0);
      expect(used).toBeLessThanOrEqual(size);
      expect(constants[`${screaming(name)}_SIZE`]).toBe(size);
    });
  }

  test("an idle connection costs 224 bytes, a TIME-WAIT record 64", () => {
    expect(layout.TCB_SIZE).toBeLessThanOrEqual(224);
    expect(layout.TIME_WAIT_SIZE).toBe(64);
  });

  test("bits are powers of two, values count from zero, and names are in order", () => {
    for (const { name, kind, members } of ENUMS) {
      members.forEach(([member], i) => {
        expect(constants[`${name}_${member}`], `${name}_${member}`).toBe(
          kind === "bits" ? 2 ** i : i,
        );
      });
      expect((layout as unknown as Record<string, string[]>)[`${name}_NAMES`]).toEqual(
        members.map(([m]) => m),
      );
    }
  });

  test("both sides and the map that people read come from one schema", () => {
    const files = generate();
    expect(files.map(({ path }) => path)).toEqual([
      "as/layout.gen.ts",
      "src/layout/layout.gen.ts",
      "docs/memory.md",
      "docs/states.svg",
    ]);
    const hash = `LAYOUT_HASH: u32 = ${layout.LAYOUT_HASH};`;
    expect(files[0]?.text).toContain(hash);
    expect(files[0]?.text).toContain(`if (offsetof<Tcb>("sndUna") != TCB_SND_UNA) ERROR(`);
  });
});
