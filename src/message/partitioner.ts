// Which partition a key belongs to: murmur2 as Kafka's Java client computes it, the same on every driver.

const seed = 0x9747b28c;
const m = 0x5bd1e995;

/** The 32-bit murmur2 of Kafka's clients (org.apache.kafka.common.utils.Utils.murmur2), signed. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let h = seed ^ length;
  const whole = length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = length & 3;
  if (rest === 3) h ^= (data[whole + 2] as number) << 16;
  if (rest >= 2) h ^= (data[whole + 1] as number) << 8;
  if (rest >= 1) {
    h ^= data[whole] as number;
    h = Math.imul(h, m);
  }
  h ^= h >>> 13;
  h = Math.imul(h, m);
  return h ^ (h >>> 15);
}

/** Keyed messages by murmur2 modulo the configured partitions; the others in turn. */
export class Partitioner {
  private turn = 0;

  choose(key: Buffer | null, partitions: number): number {
    if (key !== null) return (murmur2(key) & 0x7fffffff) % partitions;
    this.turn = (this.turn + 1) & 0x3fffffff;
    return this.turn % partitions;
  }
}
