// When a stuck overflow may move what stands still to its own end, so that what is behind can come forward; pure.

/** Between two passes; doubled with each pass that brought nothing forward. */
const shortestGapMs = 1000;
const longestGapMs = 60_000;
/** A pass may take this part of the time at most: it reads and writes all that stands in the overflow. */
const gapPerPass = 20;

/**
 * A pass goes once through what stood in the overflow when it began. What it moves stands behind its end and is not
 * moved again before the next pass.
 */
export class Rotation {
  private endOffset: bigint | null = null;
  private startedMs = 0;
  private nextMs = 0;
  private gapMs = shortestGapMs;
  private progress = false;

  /** True while messages below the end of a pass that began may be moved. */
  covers(offset: bigint): boolean {
    return this.endOffset !== null && offset < this.endOffset;
  }

  /** Begins a pass over everything below `endOffset`, if it is time for one. */
  begin(endOffset: bigint, nowMs: number): boolean {
    if (this.endOffset !== null || nowMs < this.nextMs) return false;
    this.endOffset = endOffset;
    this.startedMs = nowMs;
    return true;
  }

  /** Something from the overflow was delivered. */
  delivered(): void {
    this.progress = true;
  }

  /** All below `offset` was read. */
  readUpTo(offset: bigint, nowMs: number): void {
    if (this.endOffset === null || offset < this.endOffset) return;
    this.endOffset = null;
    this.gapMs = this.progress ? shortestGapMs : Math.min(longestGapMs, this.gapMs * 2);
    this.progress = false;
    this.nextMs = nowMs + Math.max(this.gapMs, gapPerPass * (nowMs - this.startedMs));
  }
}
