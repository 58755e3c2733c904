// How long something took over the last seconds, as quantiles; pure, time is handed in.

/** Eight buckets for each doubling: a quantile is right to within 9 %. */
const perDoubling = 8;
/** Up to 2^22 ms, more than an hour; what took longer stands in the last one. */
const buckets = 22 * perDoubling;

/** Memory: 704 bytes for each second of the window. */
export class LatencyWindow {
  private readonly slots: Uint32Array[];
  private newest: number;

  constructor(
    private readonly windowSeconds: number,
    nowMs: number,
  ) {
    this.slots = Array.from({ length: windowSeconds }, () => new Uint32Array(buckets));
    this.newest = Math.floor(nowMs / 1000);
  }

  /** Counts in the second of `nowMs`. */
  add(durationMs: number, nowMs: number): void {
    this.slide(nowMs);
    const slot = this.slots[this.newest % this.windowSeconds] as Uint32Array;
    const at = bucketOf(durationMs);
    slot[at] = (slot[at] as number) + 1;
  }

  /** One duration in milliseconds for each of the shares, from 0 to 1; nulls when nothing was counted. */
  quantiles(shares: readonly number[], nowMs: number): (number | null)[] {
    this.slide(nowMs);
    const sums = new Uint32Array(buckets);
    let total = 0;
    for (const slot of this.slots) {
      for (let i = 0; i < buckets; i += 1) {
        const count = slot[i] as number;
        sums[i] = (sums[i] as number) + count;
        total += count;
      }
    }
    return shares.map((share) => (total === 0 ? null : quantileOf(sums, Math.max(1, Math.ceil(share * total)))));
  }

  private slide(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(second - this.newest, this.windowSeconds);
    for (let i = 1; i <= steps; i += 1) this.slots[(this.newest + i) % this.windowSeconds]?.fill(0);
    if (second > this.newest) this.newest = second;
  }
}

/** 0 and 1 ms begin the first one. */
function bucketOf(durationMs: number): number {
  const at = durationMs <= 1 ? 0 : Math.floor(Math.log2(durationMs) * perDoubling);
  return Math.min(buckets - 1, at);
}

function quantileOf(sums: Uint32Array, rank: number): number {
  let seen = 0;
  for (let i = 0; i < buckets; i += 1) {
    seen += sums[i] as number;
    // The middle of the bucket.
    if (seen >= rank) return 2 ** ((i + 0.5) / perDoubling);
  }
  return 2 ** (buckets / perDoubling);
}
