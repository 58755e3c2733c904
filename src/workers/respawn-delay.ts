// How long to wait before a worker is replaced; pure.

/** Who served for so long did not die of its start; a start takes about as long. */
const settledMs = 1000;
const firstMs = 100;
const longestMs = 10_000;

export interface Respawn {
  readonly delayMs: number;
  /** How many deaths came one upon another; for the next time. */
  readonly early: number;
}

/** At once for one that had served, and for the first that did not; then twice as long each time. */
export function respawnAfter(servedMs: number, early: number): Respawn {
  if (servedMs >= settledMs) return { delayMs: 0, early: 0 };
  if (early === 0) return { delayMs: 0, early: 1 };
  return { delayMs: Math.min(longestMs, firstMs * 2 ** Math.min(early - 1, 20)), early: early + 1 };
}
