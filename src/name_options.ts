/** Options and shapes of names: how a stack resolves them, and what it finds. */
import type { CaaRecord, MxRecord, NaptrRecord, SoaRecord, SrvRecord } from "./wire/dns_records.ts";
export type { CaaRecord, MxRecord, NaptrRecord, SoaRecord, SrvRecord };

/** A name server. */
export interface NameServerAddress {
  /** IP address in text form. */
  readonly ipAddr: string;
  /** Default 53. */
  readonly port?: number;
}

/** How a stack resolves names. */
export interface NameOptions {
  /** Name servers instead of those that the network names. At most 8 are asked. */
  readonly servers?: readonly (string | NameServerAddress)[];
  /** Domains that complete a short name, instead of those that the network names. At most 8. */
  readonly search?: readonly string[];
  /** A name with so many dots is asked for as it is before it is completed, 0 to 15. Default 1. */
  readonly ndots?: number;
  /** Addresses by name, before any server is asked: `{ "db.internal": "10.0.0.5" }`. */
  readonly hosts?: Readonly<Record<string, string | readonly string[]>>;
}

/** How one question is asked. */
export interface ResolveRecordsOptions {
  /** Whom to ask instead of the configured servers. */
  readonly nameServer?: NameServerAddress;
  /** Forgets the question. */
  readonly signal?: AbortSignal;
}

/** How a host is looked for. */
export interface ResolveOptions extends ResolveRecordsOptions {
  /** Addresses of one family alone. Default: both. */
  readonly family?: 4 | 6;
}

/** Records by type, as `resolveRecords()` gives them. Names are in lower case and have no dot at their ends. */
export interface NameRecords {
  /** An IPv4 address. */
  A: string;
  /** An IPv6 address. */
  AAAA: string;
  /** Records of type CAA. */
  CAA: CaaRecord;
  /** Records of type CNAME. */
  CNAME: string;
  /** Records of type MX. */
  MX: MxRecord;
  /** Records of type NAPTR. */
  NAPTR: NaptrRecord;
  /** Records of type NS. */
  NS: string;
  /** Records of type PTR. */
  PTR: string;
  /** Records of type SOA. */
  SOA: SoaRecord;
  /** Records of type SRV. */
  SRV: SrvRecord;
  /** The strings of one record. */
  TXT: readonly string[];
}

/** What is known of a name's records of one type. */
export interface NameAnswer<K extends RecordType = RecordType> {
  /** At least one. */
  readonly records: NameRecords[K][];
  /** How long they hold, s; 0 for what no server said. */
  readonly ttlSeconds: number;
}

/** Type of a record. */
export type RecordType = keyof NameRecords;

/** What a stack can find out about names. */
export interface NameLookup {
  /**
   * Addresses of a host, of both families; those to be tried first come first. Rejects with `ENOTFOUND` if there are none,
   * `ETIMEDOUT` if no name server answers, `ESERVFAIL` or `EREFUSED` if they answer so.
   */
  resolve(hostname: string, options?: ResolveOptions): Promise<string[]>;
  /**
   * Records of a name, at least one. The name is taken as complete: no search list, no table of hosts; an address is asked
   * for with `"PTR"`. Rejects as `resolve()` does, and with `ENODATA` if the name has other records only.
   */
  resolveRecords<K extends RecordType>(
    name: string,
    type: K,
    options?: ResolveRecordsOptions,
  ): Promise<NameRecords[K][]>;
  /** As `resolveRecords()`, and for how long the records hold. */
  resolveAnswer<K extends RecordType>(
    name: string,
    type: K,
    options?: ResolveRecordsOptions,
  ): Promise<NameAnswer<K>>;
}
