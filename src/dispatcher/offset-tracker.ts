// Which messages of a partition are settled, and what a commit must say so that a restart repeats only the others.

/*
 * Metadata: "1:" and then lengths in base 36, separated by dots: unsettled, settled, unsettled, settled …,
 * beginning at the committed offset. "1:1.3" says: the first is open, the three behind it are done.
 */
const version = '1:';

/** The settled offsets above the mark: [first, end) pairs, ascending, apart from one another. */
export type SettledRanges = readonly (readonly [first: bigint, end: bigint])[];

/** Foreign or damaged metadata reads as "nothing is settled": repeats are allowed, losses are not. */
export function readMetadata(mark: bigint, metadata: string): SettledRanges {
  if (!metadata.startsWith(version)) return [];
  const ranges: [bigint, bigint][] = [];
  let position = mark;
  const lengths = metadata.slice(version.length).split('.');
  for (let i = 0; i < lengths.length; i += 1) {
    const text = lengths[i] as string;
    if (!/^[0-9a-z]{1,10}$/.test(text)) return [];
    const end = position + BigInt(Number.parseInt(text, 36));
    if (i % 2 === 1) ranges.push([position, end]);
    position = end;
  }
  return ranges;
}

/** Offsets are taken in ascending order and settled in any. Memory: one entry for each unsettled offset. */
export class OffsetTracker {
  /** In insertion order, which is ascending. */
  private readonly unsettled = new Set<bigint>();
  /** What an earlier owner had settled above its mark, not yet passed. */
  private restored: (readonly [bigint, bigint])[];

  constructor(
    /** The next offset to be taken. */
    private next: bigint,
    metadata: string,
  ) {
    this.restored = [...readMetadata(next, metadata)];
  }

  /** False for an offset that was settled before this tracker began. */
  take(offset: bigint): boolean {
    this.next = offset + 1n;
    while (this.restored[0] !== undefined && this.restored[0][1] <= offset) this.restored.shift();
    const first = this.restored[0];
    if (first !== undefined && offset >= first[0]) return false;
    this.unsettled.add(offset);
    return true;
  }

  /** Offsets below `offset` that were not taken hold nothing. */
  skipTo(offset: bigint): void {
    if (offset > this.next) this.next = offset;
  }

  settle(offset: bigint): void {
    this.unsettled.delete(offset);
  }

  get open(): number {
    return this.unsettled.size;
  }

  /** Everything below it is settled. */
  get mark(): bigint {
    const [first] = this.unsettled;
    if (first !== undefined) return first;
    const [ahead] = this.restored;
    return ahead !== undefined && ahead[0] <= this.next && ahead[1] > this.next ? ahead[1] : this.next;
  }

  /** What to commit. Of more ranges than fit, those nearest to the mark are named; the others would be repeated. */
  metadata(maxBytes: number): string {
    const lengths: string[] = [];
    let room = maxBytes - version.length;
    let position = this.mark;
    for (const [first, end] of this.settledAboveMark()) {
      const pair = `${(first - position).toString(36)}.${(end - first).toString(36)}`;
      room -= pair.length + (lengths.length === 0 ? 0 : 1);
      if (room < 0) break;
      lengths.push(pair);
      position = end;
    }
    return lengths.length === 0 ? '' : version + lengths.join('.');
  }

  /** Settled is what lies between two neighbouring unsettled offsets, behind the last one, and what is still restored. */
  private *settledAboveMark(): Generator<readonly [bigint, bigint]> {
    const { mark } = this;
    let from = mark;
    for (const offset of this.unsettled) {
      if (offset > from) yield [from, offset];
      from = offset + 1n;
    }
    if (from > mark && this.next > from) yield [from, this.next];
    for (const [first, end] of this.restored) {
      const ahead = first < this.next ? this.next : first;
      if (end > ahead && ahead > mark) yield [ahead, end];
    }
  }
}
