/** What an answer says about the name that was asked for. Source: RFC 1034 section 3.6.2, RFC 2308. */
import { isWithin } from "../wire/dns_name.ts";
import {
  type DnsResponse,
  type DnsTypeName,
  RCODE_NAME_ERROR,
  type RecordData,
} from "../wire/dns.ts";
import type { DnsAbsence } from "./dns_cache.ts";

/** Longest chain of aliases. */
export const ALIASES_MAX = 8;

/** What was found under a name. */
export interface Found<K extends DnsTypeName = DnsTypeName> {
  /** The name at the end of the chain of aliases. */
  readonly name: string;
  /** How many aliases led there. */
  readonly aliases: number;
  readonly data: readonly RecordData[K][];
  /** The least of the chain, s; infinity if nothing was found, not even an alias. */
  readonly ttlSeconds: number;
  /** Why there are none; null if there are some, or if the server says nothing about the last name. */
  readonly absence: DnsAbsence | null;
  /** How long it may be kept that there are none, s, if the aliases hold for as long; null = not at all. */
  readonly absentSeconds: number | null;
}

/**
 * Uses only records of the asked name and of the aliases it leads to; all others are as if they were not there.
 *
 * @param asked The question's name.
 * @param type The question's type.
 * @param aliasesLeft How many aliases may be followed.
 */
export function readAnswer<K extends DnsTypeName>(
  asked: string,
  type: K,
  response: DnsResponse,
  aliasesLeft: number,
): Found<K> {
  let name = asked;
  let ttlSeconds = Infinity;
  for (let aliases = 0; aliases <= aliasesLeft; aliases++) {
    const own = response.answers.filter((record) => record.name === name);
    const records = own.filter((record) => record.type === type);
    if (records.length > 0) {
      for (const record of records) ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
      // Records of this type hold data of this type.
      const data = records.map((record) => record.data as RecordData[K]);
      return { name, aliases, data, ttlSeconds, absence: null, absentSeconds: null };
    }
    const alias = own.find((record) => record.type === "CNAME");
    if (alias?.type !== "CNAME") return absent(name, aliases, ttlSeconds, response);
    ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds);
    name = alias.data;
  }
  return {
    name,
    aliases: aliasesLeft,
    data: [],
    ttlSeconds,
    absence: "ALIASES",
    absentSeconds: null,
  };
}

function absent(
  name: string,
  aliases: number,
  ttlSeconds: number,
  response: DnsResponse,
): Found<never> {
  const { denial, rcode } = response;
  // RFC 2308 section 5: an answer without SOA says nothing about its life, and is not kept.
  const isDenied = denial !== null && isWithin(name, denial.zone);
  const absentSeconds = isDenied ? denial.ttlSeconds : null;
  let absence: DnsAbsence | null = rcode === RCODE_NAME_ERROR ? "NO_NAME" : "NO_DATA";
  // RFC 1034 section 5.2.2: a server that ends with an alias and says no more may know only the alias.
  if (absence === "NO_DATA" && aliases > 0 && denial === null) absence = null;
  return { name, aliases, data: [], ttlSeconds, absence, absentSeconds };
}
