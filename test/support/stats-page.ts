// GET /stats as a test may ask for it as often as it likes.
import type { BigpipeProcess, Stats } from './bigpipe-process.js';
import { until } from './until.js';

/** Null when bigpipe says that it was asked too often. */
async function statsOf(bigpipe: BigpipeProcess): Promise<Stats | null> {
  const response = await fetch(`${bigpipe.origin}/stats`);
  const answer = (await response.json()) as { data: Stats };
  return response.status === 429 ? null : answer.data;
}

/** The first statistics of which `holds` is true. */
export function untilStats(bigpipe: BigpipeProcess, what: string, holds: (stats: Stats) => boolean): Promise<Stats> {
  return until(what, async () => {
    const stats = await statsOf(bigpipe);
    return stats !== null && holds(stats) ? stats : null;
  });
}
