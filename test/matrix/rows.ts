/** All rows, in the order of the page. */
import { DATA_ROWS } from "./rows_data.ts";
import { END_ROWS } from "./rows_end.ts";
import { LISTEN_ROWS } from "./rows_listen.ts";
import { OPEN_ROWS } from "./rows_open.ts";
import type { Row } from "./trial.ts";

/** Sections of the page. */
export const SECTIONS: readonly { readonly title: string; readonly rows: readonly Row[] }[] = [
  { title: "Opening", rows: OPEN_ROWS },
  { title: "Bytes", rows: DATA_ROWS },
  { title: "Ending", rows: END_ROWS },
  { title: "Listening", rows: LISTEN_ROWS },
];

export const ROWS: readonly Row[] = SECTIONS.flatMap(({ rows }) => rows);
