/** Host keys that were confirmed once, by host and port: trust on first use, as OpenSSH's `known_hosts`. */

/** Where they are kept. */
const STORAGE_KEY = "tidewire_ssh_known_hosts";

/** What storage has to do; a page's `localStorage` does. */
export interface HostStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** What is known of a key: nothing of its host, the same, or another one. */
export type Trust = "unknown" | "same" | "changed";

/** The table of hosts. It is read whenever it is used: another tab may have written it. */
export class KnownHosts {
  readonly #storage: HostStorage;

  /** @param storage Where the table is kept. */
  constructor(storage: HostStorage) {
    this.#storage = storage;
  }

  /** The key that was confirmed for a host, by its fingerprint. */
  fingerprintOf(host: string): string | null {
    return this.#read().get(host) ?? null;
  }

  /** Compares a key with the one that was confirmed. */
  check(host: string, fingerprint: string): Trust {
    const known = this.fingerprintOf(host);
    if (known === null) return "unknown";
    return known === fingerprint ? "same" : "changed";
  }

  /** Remembers a key that was confirmed. */
  remember(host: string, fingerprint: string): void {
    this.#write(this.#read().set(host, fingerprint));
  }

  /** Forgets a host: its next key is asked about as that of a new one. */
  forget(host: string): void {
    const table = this.#read();
    table.delete(host);
    this.#write(table);
  }

  #read(): Map<string, string> {
    const text = this.#storage.getItem(STORAGE_KEY);
    if (text === null) return new Map();
    // A table that can not be read is an error and not an empty one, which would trust anybody.
    const entries: unknown = JSON.parse(text);
    if (!Array.isArray(entries) || !entries.every(isEntry)) {
      throw new TypeError("Cannot read the known hosts: the stored table is damaged");
    }
    return new Map(entries);
  }

  #write(table: ReadonlyMap<string, string>): void {
    this.#storage.setItem(STORAGE_KEY, JSON.stringify([...table]));
  }
}

/** How a host is called in the table: names are the same in either case (RFC 4343 section 3). */
export function hostName(hostname: string, port: number): string {
  return `[${hostname.toLowerCase()}]:${port}`;
}

function isEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 &&
    value.every((part) => typeof part === "string");
}
