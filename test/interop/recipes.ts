/** Reads recipes. */

/** A block of code whose first line names its file. */
const BLOCK = /^```[a-z]+\n(?:\/\/|<!--) (\S+)(?: -->)?\n(.*?)^```$/gms;

/** The files of a recipe: name and content. */
export function blocksOf(markdown: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const [, name = "", code = ""] of markdown.matchAll(BLOCK)) {
    if (files.has(name)) throw new Error(`A recipe has two files "${name}"`);
    files.set(name, code);
  }
  return files;
}
