// When will a backlog be gone, if everything goes on as it did lately?

/** A group in a partition at some moment. */
export interface LagPoint {
  readonly atMs: number;
  readonly committed: bigint;
  readonly end: bigint;
}

/** Seconds; 0 without a backlog, null where it does not shrink, or nothing is known of how it was before. */
export function drainSeconds(before: LagPoint | null, now: LagPoint): number | null {
  const lag = Number(now.end - now.committed);
  if (lag <= 0) return 0;
  if (before === null || now.atMs <= before.atMs) return null;
  const settled = Number(now.committed - before.committed);
  const appended = Number(now.end - before.end);
  const shrunk = settled - appended;
  return shrunk > 0 ? (lag * (now.atMs - before.atMs)) / shrunk / 1000 : null;
}
