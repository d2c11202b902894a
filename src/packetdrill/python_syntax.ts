/** The part of Python that code in scripts uses, as data. */

/** An expression. Tuples are lists. */
export type PyExpr =
  | { readonly kind: "constant"; readonly value: bigint | number | string | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list"; readonly items: readonly PyExpr[] }
  | { readonly kind: "unary"; readonly op: "-" | "+" | "~" | "not"; readonly of: PyExpr }
  | {
    readonly kind: "binary";
    readonly op: string;
    readonly left: PyExpr;
    readonly right: PyExpr;
  }
  /** `a < b <= c`; `is` is `==`. */
  | { readonly kind: "compare"; readonly first: PyExpr; readonly rest: readonly PyComparison[] }
  | {
    readonly kind: "logic";
    readonly op: "and" | "or";
    readonly left: PyExpr;
    readonly right: PyExpr;
  }
  | { readonly kind: "choice"; readonly test: PyExpr; readonly yes: PyExpr; readonly no: PyExpr }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly PyExpr[] }
  | { readonly kind: "item"; readonly of: PyExpr; readonly index: PyExpr }
  /** An f-string. */
  | { readonly kind: "format"; readonly parts: readonly (string | PyPlaceholder)[] };

/** One step of a chained comparison. */
export interface PyComparison {
  readonly op: "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";
  readonly of: PyExpr;
}

/** `{value:.2f}` of an f-string. */
export interface PyPlaceholder {
  readonly of: PyExpr;
  readonly spec: string;
}

/** A statement, with the line where it begins. */
export type PyStatement =
  | {
    readonly kind: "assert";
    readonly line: number;
    readonly test: PyExpr;
    /** `test` as written. */
    readonly text: string;
    readonly message: PyExpr | null;
  }
  /** `a = b = 1` and `a, b = f()`: each target is one name or more. */
  | {
    readonly kind: "assign";
    readonly line: number;
    readonly targets: readonly (readonly string[])[];
    readonly value: PyExpr;
  }
  | { readonly kind: "expression"; readonly line: number; readonly value: PyExpr }
  | {
    readonly kind: "if";
    readonly line: number;
    readonly test: PyExpr;
    readonly yes: readonly PyStatement[];
    readonly no: readonly PyStatement[];
  }
  | {
    readonly kind: "for";
    readonly line: number;
    readonly names: readonly string[];
    readonly of: PyExpr;
    readonly body: readonly PyStatement[];
  };

/** A value. Integers have no limit, as in Python; lists and tuples are arrays. */
export type PyValue = bigint | number | string | boolean | null | PyRange | readonly PyValue[];

/** `range(start, stop, step)`, whose members are not written out. */
export interface PyRange {
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
}
