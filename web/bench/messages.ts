/** What the page and its worker tell each other. */
import type { Request, Said } from "../../src/bench/cases.ts";

export type { Request, Said };

/** From the page: run this. */
export interface Order {
  readonly request: Request;
}

/** From the worker. */
export type News =
  | { readonly said: Said }
  | { readonly progress: string }
  | { readonly done: true }
  | { readonly failed: string };
