/** What a script expected and did not get. */

/** A script that ran and was not kept. */
export class Failure extends Error {
  override readonly name = "Failure";
  /** Where the script says it, from 1. */
  readonly line: number;
  readonly expected: string;
  readonly got: string;

  /**
   * @param line Line of the event.
   * @param problem In a few words, what differs.
   * @param expected What the script says.
   * @param got What came instead.
   */
  constructor(line: number, problem: string, expected: string, got: string) {
    super(problem);
    this.line = line;
    this.expected = expected;
    this.got = got;
  }
}
