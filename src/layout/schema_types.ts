/** The shapes in which `schema.ts` writes the memory map down. */

/** A scalar of the map; its size is its alignment. */
export type ScalarType = "u8" | "u16" | "u32" | "u64" | "f64";

/** One field: name, type, what it holds and in which unit. */
export type Field = readonly [name: string, type: ScalarType, doc: string];

/** A struct whose fields stand in order without gaps; `size` may leave room at the end. */
export interface StructSchema {
  readonly name: string;
  readonly size: number;
  readonly doc: string;
  readonly fields: readonly Field[];
}

/** A named set of numbers. `kind: "bits"` numbers its members 1, 2, 4 …, else 0, 1, 2 …. */
export interface EnumSchema {
  readonly name: string;
  readonly kind: "values" | "bits";
  readonly doc: string;
  readonly members: readonly (readonly [name: string, doc: string])[];
}

/** One number with its unit and source. */
export type Limit = readonly [name: string, value: number, doc: string];
