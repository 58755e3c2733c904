// How many messages of which hop each lane has in the overflow: a table of hashes, for a million lanes in 32 MB.

const smallest = 64;
/** Lanes with one hop each; 16 bytes a slot, and at most two slots for one that is taken. */
const maxEntries = 1_048_576;
/** Beyond this part of its slots a table grows. */
const fullest = 0.6;

/** Open addressing with linear probing; a lane with messages of several hops has an entry for each. Two lanes of one hash count as one. */
export class LaneHops {
  private hashes = new Float64Array(smallest);
  private hops = new Uint32Array(smallest);
  private counts = new Uint32Array(smallest);
  private entries = 0;

  constructor(private readonly max = maxEntries) {}

  get size(): number {
    return this.entries;
  }

  /** False when there is no room: it is not counted. */
  add(lane: string, hop: number): boolean {
    const hash = hashOf(lane);
    const at = this.find(hash, hop);
    if (this.hashes[at] === hash) {
      this.counts[at] = (this.counts[at] as number) + 1;
      return true;
    }
    if (this.entries >= this.max) return false;
    this.put(at, hash, hop, 1);
    this.entries += 1;
    if (this.entries > this.hashes.length * fullest) this.resize(2 * this.hashes.length);
    return true;
  }

  /** Nothing happens for one that was not counted. */
  remove(lane: string, hop: number): void {
    const hash = hashOf(lane);
    const at = this.find(hash, hop);
    if (this.hashes[at] !== hash) return;
    const count = (this.counts[at] as number) - 1;
    this.counts[at] = count;
    if (count > 0) return;
    this.entries -= 1;
    this.free(at);
    if (this.entries === 0 && this.hashes.length > smallest) this.resize(smallest);
  }

  /** 0 for a lane without any. */
  highest(lane: string): number {
    if (this.entries === 0) return 0;
    const hash = hashOf(lane);
    let highest = 0;
    for (let at = this.home(hash); this.hashes[at] !== 0; at = this.next(at)) {
      if (this.hashes[at] === hash) highest = Math.max(highest, this.hops[at] as number);
    }
    return highest;
  }

  /** The entry's slot, or the free one in which it belongs. */
  private find(hash: number, hop: number): number {
    let at = this.home(hash);
    while (this.hashes[at] !== 0 && (this.hashes[at] !== hash || this.hops[at] !== hop)) at = this.next(at);
    return at;
  }

  /** Closes the gap, so that whoever is looked for is found before a free slot. */
  private free(slot: number): void {
    let gap = slot;
    for (let at = this.next(gap); this.hashes[at] !== 0; at = this.next(at)) {
      const home = this.home(this.hashes[at] as number);
      const isBetween = gap <= at ? gap < home && home <= at : gap < home || home <= at;
      if (isBetween) continue;
      this.put(gap, this.hashes[at] as number, this.hops[at] as number, this.counts[at] as number);
      gap = at;
    }
    this.put(gap, 0, 0, 0);
  }

  private put(at: number, hash: number, hop: number, count: number): void {
    this.hashes[at] = hash;
    this.hops[at] = hop;
    this.counts[at] = count;
  }

  private resize(slots: number): void {
    const { hashes, hops, counts } = this;
    this.hashes = new Float64Array(slots);
    this.hops = new Uint32Array(slots);
    this.counts = new Uint32Array(slots);
    for (const [i, hash] of hashes.entries()) {
      if (hash !== 0) this.put(this.find(hash, hops[i] as number), hash, hops[i] as number, counts[i] as number);
    }
  }

  private home(hash: number): number {
    return hash % this.hashes.length;
  }

  private next(at: number): number {
    return at + 1 === this.hashes.length ? 0 : at + 1;
  }
}

/** Two FNV-1a sums over the text's code units, 53 bits together; never 0. */
function hashOf(text: string): number {
  let high = 0x811c9dc5;
  let low = 0x050c5d1f;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x85ebca6b);
    low ^= low >>> 13;
  }
  return (high >>> 0) * 0x200000 + (low >>> 11) || 1;
}
