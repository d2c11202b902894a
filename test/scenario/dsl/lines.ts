/** Lines that scripts of loss recovery have in common. */

/** Expects full segments [from, to) of 1000 bytes; the last one pushes if it ends what was written. */
export function segments(from: number, to: number, isAll: boolean): string {
  const lines: string[] = [];
  for (let seq = from; seq < to; seq += 1000) {
    const flags = isAll && seq + 1000 === to ? "P." : ".";
    lines.push(`+0 > ${flags} ${seq}:${seq + 1000}(1000) ack 1`);
  }
  return lines.join("\n");
}

/** An ACK of the peer, with SACK blocks if there are any. @param time As in a script. */
export function acked(time: string, ack: number, blocks = ""): string {
  const options = blocks === "" ? "" : `<nop,nop,sack ${blocks}>`;
  return `${time} < . 1:1(0) ack ${ack} win 65000 ${options}`;
}
