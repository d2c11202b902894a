/** Plain twin of the reader in as/wire/ipv4.ts: what is wrong with a packet, in words. */

/** Why a packet is refused. */
export type Refusal = "short" | "header" | "checksum" | "option" | "address";

function sumOf(header: readonly number[]): number {
  let total = 0;
  for (let i = 0; i < header.length; i += 2) total += (header[i] ?? 0) * 256 + (header[i + 1] ?? 0);
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000);
  return total;
}

function areOptionsFine(options: readonly number[]): boolean {
  const [kind, length] = options;
  if (kind === undefined || kind === 0) return true;
  if (kind === 131 || kind === 137) return false;
  if (kind === 1) return areOptionsFine(options.slice(1));
  if (length === undefined || length < 2 || length > options.length) return false;
  return areOptionsFine(options.slice(length));
}

/** Reads a packet. @returns Bytes of its header, or why it is refused. */
export function parseIpv4(packet: readonly number[]): number | Refusal {
  if (packet.length < 20) return "short";
  const [first = 0, , totalHigh = 0, totalLow = 0] = packet;
  const headerBytes = (first % 16) * 4;
  const total = totalHigh * 256 + totalLow;
  if (Math.floor(first / 16) !== 4 || headerBytes < 20) return "header";
  if (total < headerBytes || total > packet.length) return "header";
  if (sumOf(packet.slice(0, headerBytes)) !== 0xffff) return "checksum";
  if (!areOptionsFine(packet.slice(20, headerBytes))) return "option";
  const [protocol, source = 0, destination] = [packet[9], packet[12], packet[16]];
  if (source === 127 || source >= 224 || (source === 0 && protocol !== 17)) return "address";
  if (destination === 0 || destination === 127) return "address";
  return headerBytes;
}
