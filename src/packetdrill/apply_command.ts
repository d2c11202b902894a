/** Does what commands of a script ask for: to the configuration, as long as no core was made from it. */
import { readCommand } from "./commands.ts";
import { Unsupported } from "./fault.ts";
import type { Command } from "./syntax.ts";
import { applyChanges } from "./sysctl.ts";
import type { World } from "./world.ts";

/**
 * Does a command.
 *
 * @param world Its configuration is changed, and its time passes.
 * @param command As the parser read it.
 * @param file Of the script, for messages.
 * @param ignores Whether commands do nothing when they are not known, or come too late.
 * @throws {Unsupported} If it is not known, or would change what the core began with.
 */
export function applyCommand(world: World, command: Command, file: string, ignores: boolean): void {
  const { changes, sleepMs, unknown } = readCommand(command.text);
  const [problem] = unknown;
  if (problem !== undefined && !ignores) throw new Unsupported(file, command.line, problem);
  const config = applyChanges(world.config, changes);
  world.host = Object.assign({}, world.host, ...changes.map(({ host }) => host ?? {}));
  if (!isSame(world.config, config)) {
    if (!world.isStarted) {
      world.config = config;
    } else if (!ignores) {
      const late = "the stack takes its configuration once, before the first packet";
      throw new Unsupported(file, command.line, late);
    }
  }
  if (sleepMs > 0) world.runTo(world.elapsed + sleepMs);
}

function isSame<T extends object>(a: T, b: T): boolean {
  return Object.entries(b).every(([name, value]) => Reflect.get(a, name) === value);
}
