// Hashes of 16 bytes with an offset each, oldest first, in 44 bytes of memory an entry and no objects; pure.

const keyBytes = 16;
const smallest = 1024;

/** A ring in the order of adding, and an index over it: open addressing, at most half full. */
export class KeyTable {
  private capacity = smallest;
  private keys = Buffer.alloc(smallest * keyBytes);
  private offsets = new Float64Array(smallest);
  private times = new Float64Array(smallest);
  /** Place in the ring + 1; 0 is free. */
  private index = new Int32Array(2 * smallest);
  /** Counted on and on; modulo the capacity it is the place. */
  private first = 0;
  private next = 0;

  get size(): number {
    return this.next - this.first;
  }

  /** The offset, and when it was added; null for a key that is not there. */
  find(key: Buffer): { readonly offset: bigint; readonly atMs: number } | null {
    const place = (this.index[this.slotOf(key)] as number) - 1;
    if (place < 0) return null;
    return { offset: BigInt(this.offsets[place] as number), atMs: this.times[place] as number };
  }

  /** The newer offset of a key that is there already takes the place of the older one. */
  add(key: Buffer, offset: bigint, atMs: number): void {
    const known = (this.index[this.slotOf(key)] as number) - 1;
    if (known >= 0) {
      if (this.offsets[known] === Number(offset)) return;
      this.removeFromIndex(key);
    }
    if (this.size === this.capacity) this.grow();
    const place = this.next % this.capacity;
    this.next += 1;
    key.copy(this.keys, place * keyBytes, 0, keyBytes);
    this.offsets[place] = Number(offset);
    this.times[place] = atMs;
    this.index[this.slotOf(key)] = place + 1;
  }

  /** When the oldest was added; null for none. */
  get oldestMs(): number | null {
    return this.size === 0 ? null : (this.times[this.first % this.capacity] as number);
  }

  /** The offset of the oldest; null for none. */
  get oldestOffset(): bigint | null {
    return this.size === 0 ? null : BigInt(this.offsets[this.first % this.capacity] as number);
  }

  dropOldest(): void {
    if (this.size === 0) return;
    const place = this.first % this.capacity;
    this.first += 1;
    const key = this.keyAt(place);
    // A key that was added again stands elsewhere.
    if (this.index[this.slotOf(key)] === place + 1) this.removeFromIndex(key);
  }

  private keyAt(place: number): Buffer {
    return this.keys.subarray(place * keyBytes, (place + 1) * keyBytes);
  }

  /** Where it stands in the index, or the free slot where it would. */
  private slotOf(key: Buffer): number {
    const mask = this.index.length - 1;
    let slot = key.readUInt32LE(0) & mask;
    for (let entry = this.index[slot] as number; entry !== 0; entry = this.index[slot] as number) {
      const at = (entry - 1) * keyBytes;
      if (key.compare(this.keys, at, at + keyBytes, 0, keyBytes) === 0) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  private removeFromIndex(key: Buffer): void {
    const mask = this.index.length - 1;
    let hole = this.slotOf(key);
    this.index[hole] = 0;
    // What was pushed along past the hole moves back into it.
    for (let slot = (hole + 1) & mask; this.index[slot] !== 0; slot = (slot + 1) & mask) {
      const entry = this.index[slot] as number;
      const home = this.keys.readUInt32LE((entry - 1) * keyBytes) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      this.index[hole] = entry;
      this.index[slot] = 0;
      hole = slot;
    }
  }

  private grow(): void {
    const { capacity, keys, offsets, times, first, next } = this;
    const isCurrent = (place: number) => this.index[this.slotOf(this.keyAt(place))] === place + 1;
    const current = Array.from({ length: next - first }, (_, i) => (first + i) % capacity).filter(isCurrent);
    this.capacity = capacity * 2;
    this.keys = Buffer.alloc(this.capacity * keyBytes);
    this.offsets = new Float64Array(this.capacity);
    this.times = new Float64Array(this.capacity);
    this.index = new Int32Array(2 * this.capacity);
    this.first = 0;
    this.next = 0;
    for (const place of current) {
      const key = keys.subarray(place * keyBytes, (place + 1) * keyBytes);
      this.add(key, BigInt(offsets[place] as number), times[place] as number);
    }
  }
}
