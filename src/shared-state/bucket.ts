// The arithmetic of a bucket of tokens that several take from; pure. Redis does the same in its own words (scripts.ts).

export interface BucketLimit {
  /** Tokens a second. */
  readonly perSecond: number;
  /** Tokens that it holds at most, and begins with. */
  readonly burst: number;
}

export interface Taken {
  /** Whole tokens, 0 for none. */
  readonly granted: number;
  /** Where none was granted: milliseconds until there may be one. */
  readonly waitMs: number;
}

/** A millionth forgives what rounding loses, else a wait computed to the end could fall short by it. */
const rounding = 1e-6;

/** `fullAtMs`: when the bucket will be full again, which is all there is to know of it. */
export function takeFrom(
  fullAtMs: number,
  { perSecond, burst }: BucketLimit,
  wanted: number,
  nowMs: number,
): Taken & { readonly fullAtMs: number } {
  const intervalMs = 1000 / perSecond;
  const known = Math.min(Math.max(fullAtMs, nowMs), nowMs + burst * intervalMs);
  const level = burst - (known - nowMs) / intervalMs;
  const granted = Math.min(wanted, Math.floor(level + rounding));
  if (granted <= 0) return { granted: 0, waitMs: (1 - level) * intervalMs, fullAtMs: known };
  return { granted, waitMs: 0, fullAtMs: known + granted * intervalMs };
}
