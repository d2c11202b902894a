/** Real servers from the system's packages, in a namespace: PostgreSQL, Redis, OpenSSH. Each can be stopped and started again. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KERNEL_ADDRESS, type Namespace, type Running } from "../../src/bench/namespace.ts";
import { until } from "./launch.ts";

/** Where Debian puts the server of each version. */
const POSTGRES_FOLDER = "/usr/lib/postgresql";

/** What clients need to know of them. */
export const SERVICE_USER = "tide";
export const SERVICE_PASSWORD = "wire and water";

/** That password as /etc/shadow has it: `perl -e 'print crypt("wire and water", "\$6\$tidewire\$")'`. */
const SERVICE_PASSWORD_CRYPT =
  "$6$tidewire$QRWs0jvWqypDJO1Ncl/VBVeAJoYoQQcTFO/jBGO9Lwg14FNZrtohCW9FI7QkXr2YGW272/pqHdNA68EUCT9/l1";

/** Programs, and the packages that bring them. */
const PROGRAMS: readonly (readonly [path: () => string | null, pkg: string])[] = [
  [() => postgresPath("postgres"), "postgresql"],
  [() => firstOf(["/usr/bin/redis-server", "/usr/local/bin/redis-server"]), "redis-server"],
  [() => firstOf(["/usr/sbin/sshd"]), "openssh-server"],
];

/** Why these servers can not run here, or null. */
export function whatServicesMiss(): string | null {
  const missing = PROGRAMS.filter(([path]) => path() === null).map(([, pkg]) => pkg);
  return missing.length === 0 ? null : `no ${missing.join(", no ")}; the packages bring them`;
}

function firstOf(paths: readonly string[]): string | null {
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }) ?? null;
}

/** A program of the newest version of PostgreSQL. */
function postgresPath(name: string): string | null {
  try {
    const versions = readdirSync(POSTGRES_FOLDER).map(Number).sort((a, b) => b - a);
    return firstOf(versions.map((version) => join(POSTGRES_FOLDER, String(version), "bin", name)));
  } catch {
    return null;
  }
}

/** A server. */
export interface Service extends AsyncDisposable {
  start(): Promise<void>;
  /** Ends it, and waits for that. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  /** Where its keys are, for clients. */
  readonly folder: string;
}

/** What makes a server of its own. */
interface Recipe {
  readonly command: readonly string[];
  readonly port: number;
  readonly signal: NodeJS.Signals;
}

abstract class Base implements Service {
  readonly folder: string;
  readonly #namespace: Namespace;
  #running: Running | null = null;

  constructor(namespace: Namespace, name: string) {
    this.#namespace = namespace;
    this.folder = mkdtempSync(join(tmpdir(), `tidewire_${name}_`));
  }

  protected abstract recipe(): Recipe;

  async start(): Promise<void> {
    const { command, port } = this.recipe();
    const running = this.#namespace.start(command);
    this.#running = running;
    let isOver = false;
    void running.ended.then(() => (isOver = true));
    await until(() => isOver || this.#listens(port), `${command[0]} listens`);
    if (isOver) throw new Error(`${command[0]} ended: ${(await running.ended).stderr}`);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    running.child.kill(this.recipe().signal);
    await running.ended;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #listens(port: number): boolean {
    const args = ["netns", "exec", this.#namespace.name, "ss", "-Hltn", `sport = :${port}`];
    return spawnSync("ip", args, { encoding: "utf8" }).stdout.includes(`${KERNEL_ADDRESS}:${port}`);
  }
}

/** The command that runs another as a user without privileges. */
function as(user: string, ...command: string[]): string[] {
  return ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", ...command];
}

function run(command: readonly string[]): void {
  const [program = "", ...args] = command;
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** PostgreSQL: it refuses to run as root. */
export class Postgres extends Base {
  constructor(namespace: Namespace) {
    super(namespace, "postgres");
    const passwordPath = join(this.folder, "password");
    writeFileSync(passwordPath, SERVICE_PASSWORD);
    run(["chown", "-R", "postgres:postgres", this.folder]);
    const initdb = postgresPath("initdb") ?? "initdb";
    const flags = ["--auth=scram-sha-256", "--no-sync", `--username=${SERVICE_USER}`];
    flags.push("--encoding=UTF8", "--locale=C", `--pwfile=${passwordPath}`);
    run(as("postgres", initdb, ...flags, `--pgdata=${join(this.folder, "data")}`));
    const line = `host all all ${KERNEL_ADDRESS}/24 scram-sha-256\n`;
    writeFileSync(join(this.folder, "data", "pg_hba.conf"), line);
  }

  protected recipe(): Recipe {
    const settings = [
      `listen_addresses=${KERNEL_ADDRESS}`,
      `unix_socket_directories=${this.folder}`,
      "fsync=off",
      "max_connections=20",
      "shared_buffers=16MB",
    ].flatMap((setting) => ["-c", setting]);
    const postgres = postgresPath("postgres") ?? "postgres";
    return {
      command: as("postgres", postgres, "-D", join(this.folder, "data"), ...settings),
      port: 5432,
      // A fast shutdown: sessions are ended, and told so.
      signal: "SIGINT",
    };
  }
}

/** Redis, without files. */
export class Redis extends Base {
  constructor(namespace: Namespace) {
    super(namespace, "redis");
    run(["chown", "redis:redis", this.folder]);
  }

  protected recipe(): Recipe {
    const flags = ["--bind", KERNEL_ADDRESS, "--port", "6379", "--save", "", "--dir", this.folder];
    flags.push("--requirepass", SERVICE_PASSWORD, "--daemonize", "no");
    return {
      command: as("redis", "redis-server", ...flags),
      port: 6379,
      signal: "SIGTERM",
    };
  }
}

/** OpenSSH: a login of root by a key, which this service makes, or by the password of all services. */
export class Sshd extends Base {
  /** The client's key. */
  readonly keyPath: string;

  constructor(namespace: Namespace) {
    super(namespace, "sshd");
    this.keyPath = join(this.folder, "client_key");
    this.#makeKey("host_key");
    this.#makeKey("client_key");
    const shadow = `root:${SERVICE_PASSWORD_CRYPT}:1:0:99999:7:::\nsshd:!:1::::::\n`;
    writeFileSync(join(this.folder, "shadow"), shadow, { mode: 0o600 });
    const lines = [
      `ListenAddress ${KERNEL_ADDRESS}`,
      `HostKey ${join(this.folder, "host_key")}`,
      `AuthorizedKeysFile ${join(this.folder, "client_key.pub")}`,
      `PidFile ${join(this.folder, "pid")}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
      "PasswordAuthentication yes",
      "UseDNS no",
      // Sessions whose client has gone without a word are not to outlive the test.
      "LoginGraceTime 5",
      "ClientAliveInterval 5",
      "ClientAliveCountMax 1",
    ];
    writeFileSync(join(this.folder, "config"), `${lines.join("\n")}\n`);
    // Where its children without privileges stay; the package's own service makes it at boot.
    mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  }

  /** As clients show it. */
  get hostFingerprint(): string {
    const path = join(this.folder, "host_key.pub");
    return execFileSync("ssh-keygen", ["-lf", path], { encoding: "utf8" }).split(" ")[1] ?? "";
  }

  /** Makes another host key, which the next start uses. */
  renewHostKey(): void {
    rmSync(join(this.folder, "host_key"));
    this.#makeKey("host_key");
  }

  #makeKey(name: string): void {
    const target = join(this.folder, name);
    // The older form of the file is the one that clients in a page can read.
    run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", "", "-f", target]);
  }

  protected recipe(): Recipe {
    const shadow = join(this.folder, "shadow");
    const config = join(this.folder, "config");
    // The password is root's for this server alone: it sees another file than the rest of the system.
    const script = `mount --bind ${shadow} /etc/shadow && exec /usr/sbin/sshd -D -e -f ${config}`;
    return {
      command: ["unshare", "--mount", "sh", "-c", script],
      port: 22,
      signal: "SIGTERM",
    };
  }
}
