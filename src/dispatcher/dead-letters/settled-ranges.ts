// Which offsets of a partition are done with, where nobody reads in order: a bounded list of ranges.
import { readMetadata } from '../window/offset-tracker.js';

export class SettledRanges {
  /** Ascending, apart from one another; the first one begins at 0 or where the log began. */
  private ranges: (readonly [first: bigint, end: bigint])[];

  constructor(
    /** Everything below is settled. */
    private settledBelow: bigint,
    metadata: string,
  ) {
    this.ranges = [...readMetadata(settledBelow, metadata).settled];
  }

  get mark(): bigint {
    return this.settledBelow;
  }

  has(offset: bigint): boolean {
    return offset < this.settledBelow || this.ranges.some(([first, end]) => offset >= first && offset < end);
  }

  /** How many of the offsets below `end` are not settled. */
  openBelow(end: bigint): bigint {
    if (end <= this.settledBelow) return 0n;
    let open = end - this.settledBelow;
    for (const [first, last] of this.ranges) if (first < end) open -= (last < end ? last : end) - first;
    return open;
  }

  /** These and more. */
  with(ranges: readonly (readonly [first: bigint, end: bigint])[]): SettledRanges {
    const copy = new SettledRanges(this.settledBelow, '');
    copy.ranges = [...this.ranges];
    for (const [first, end] of ranges) copy.add(first, end);
    return copy;
  }

  private add(first: bigint, end: bigint): void {
    const all = [...this.ranges, [first, end] as const].sort(([a], [b]) => (a < b ? -1 : 1));
    const merged: [bigint, bigint][] = [];
    for (const [from, to] of all) {
      const last = merged.at(-1);
      if (last !== undefined && from <= last[1]) last[1] = to > last[1] ? to : last[1];
      else merged.push([from, to]);
    }
    while (merged[0] !== undefined && merged[0][0] <= this.settledBelow) {
      const [, to] = merged.shift() as [bigint, bigint];
      if (to > this.settledBelow) this.settledBelow = to;
    }
    this.ranges = merged;
  }

  /** What to commit beside the mark, in OffsetTracker's form; null when it would not fit. */
  metadata(maxBytes: number): string | null {
    const lengths: string[] = [];
    let position = this.settledBelow;
    for (const [first, end] of this.ranges) {
      lengths.push((first - position).toString(36), (end - first).toString(36));
      position = end;
    }
    const text = lengths.length === 0 ? '' : `2::${lengths.join('.')}`;
    return text.length > maxBytes ? null : text;
  }
}
