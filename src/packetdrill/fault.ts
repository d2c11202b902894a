/** What can be wrong with a script itself, before anything ran. */

/** A script that can not be run as it is; the message begins with its file and line. */
export class ScriptFault extends Error {
  readonly file: string;
  /** From 1. */
  readonly line: number;

  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
    this.file = file;
    this.line = line;
    this.name = new.target.name;
  }
}

/** The text is not a script: its author has to change it. */
export class SyntaxFault extends ScriptFault {}

/** The text is a script, and asks for what this interpreter or this stack does not have. */
export class Unsupported extends ScriptFault {}
