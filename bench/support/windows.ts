// Windows of the program and of its limit in turns, so that the machine's noise falls on both.

const leastPairs = 2;
/** A program as large as ours is compiled to its end only after some 20,000 calls. */
export const pairsToCompile = 3;

/**
 * Runs ours and the reference alternately and drops the first pairs, which pay for compilation.
 * Ends early when ours has nothing left to measure and answers null.
 */
export async function inTurns<O, R>(
  pairs: number,
  ours: () => Promise<O | null>,
  limit: () => Promise<R>,
  dropped = 1,
): Promise<{ ours: O; limit: R }[]> {
  const measured: { ours: O; limit: R }[] = [];
  for (let turn = 0; turn < pairs + dropped; turn += 1) {
    const one = await ours();
    if (one === null) break;
    const pair = { ours: one, limit: await limit() };
    if (turn >= dropped) measured.push(pair);
  }
  if (measured.length < leastPairs) throw new Error('there was too little to measure');
  return measured;
}

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
