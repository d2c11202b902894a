/** The faults that the tests must find, in the order of their numbers. */
import { ACCEPTANCE_FAULTS } from "./acceptance_faults.ts";
import type { Fault } from "./fault.ts";
import { RECEIVING_FAULTS } from "./receiving_faults.ts";
import { SENDING_FAULTS } from "./sending_faults.ts";
import { STATE_FAULTS } from "./state_faults.ts";
import { SUPER_FAULTS } from "./super_faults.ts";

/** All of them. */
export const FAULTS: readonly Fault[] = [
  ...ACCEPTANCE_FAULTS,
  ...RECEIVING_FAULTS,
  ...SENDING_FAULTS,
  ...STATE_FAULTS,
  ...SUPER_FAULTS,
];
