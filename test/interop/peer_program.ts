/** A program of ours that one test runs in a namespace, with the kernel beside it. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import { inRoot, nodePath } from "../../src/dev/common.mjs";
import type { Namespace } from "./namespace.ts";

/** The command of a script: Node, or where Deno is alone, Deno. */
export function scriptRunner(): string[] {
  const node = nodePath();
  return node === undefined ? [process.execPath, "run", "-A"] : [node];
}

/** A program in one file, in a folder for whatever its test writes; gone after `delete()`. */
export class PeerProgram {
  readonly folder: string;
  /** The file. */
  readonly path: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, "peer.mjs");
  }

  /** Bundles a program. @param name Its file in this folder, without the ending. */
  static async build(name: string): Promise<PeerProgram> {
    // Below the repository, so that koffi is found in its node_modules.
    const program = new PeerProgram(mkdtempSync(inRoot("node_modules", `.${name}-`)));
    await build({
      entryPoints: [inRoot("test", "interop", `${name}.ts`)],
      outfile: program.path,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      external: ["koffi", "ws"],
      logLevel: "error",
    });
    return program;
  }

  /** What starts it. */
  command(...args: string[]): string[] {
    return [...scriptRunner(), this.path, ...args];
  }

  /**
   * Runs it to its end.
   *
   * @returns What it says, a line of JSON.
   * @throws If it fails or complains.
   */
  async report<T>(namespace: Namespace, ...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await namespace.run(...this.command(...args));
    if (code !== 0 || stderr !== "") throw new Error(`The peer ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  delete(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
