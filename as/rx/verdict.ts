/** What a step of SEGMENT ARRIVES answers. */

/** Go on with the next step. */
export const CONTINUE: u32 = 0;
/** The segment is dealt with. */
export const DONE: u32 = 1;
