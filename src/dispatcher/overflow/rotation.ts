// When a stuck overflow may move what stands still to its own end, so that what is behind can come forward; pure.

/** Between two passes; doubled with each pass that brought nothing forward, until something was delivered or is due. */
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
  private restedMs = 0;
  private gapMs = shortestGapMs;
  private progress = false;
  /** When the first of those that were moved behind the last pass's end is due; nobody knows before the first pass. */
  private dueMs = 0;

  /** True while messages below the end of a pass that began may be moved. */
  covers(offset: bigint): boolean {
    return this.endOffset !== null && offset < this.endOffset;
  }

  /** None is under way, and it is time for one. */
  isDue(nowMs: number): boolean {
    if (this.endOffset !== null || nowMs < this.restedMs) return false;
    return nowMs >= this.nextMs || nowMs >= this.dueMs || this.progress;
  }

  /** Begins a pass over everything below `endOffset`, if it is time for one. */
  begin(endOffset: bigint, nowMs: number): boolean {
    if (!this.isDue(nowMs)) return false;
    this.endOffset = endOffset;
    this.startedMs = nowMs;
    this.dueMs = Number.POSITIVE_INFINITY;
    return true;
  }

  /** Something was moved there whose time comes at `dueMs`. */
  moved(dueMs: number): void {
    this.dueMs = Math.min(this.dueMs, dueMs);
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
    this.restedMs = nowMs + Math.max(shortestGapMs, gapPerPass * (nowMs - this.startedMs));
    this.nextMs = Math.max(this.restedMs, nowMs + this.gapMs);
  }
}
