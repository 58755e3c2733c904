// KiteQ's waits between attempts, one by one: its first attempts follow at once, later ones after longer and longer.

/** From which attempt on, and how long after each: what fails the last time is what counts. */
const steps: readonly (readonly [attempt: number, waitMs: number])[] = [
  [1, 0],
  [4, 5000],
  [10, 10_000],
  [20, 20_000],
  [30, 40_000],
  [40, 80_000],
  [50, 160_000],
];
const [lastAttempt] = steps.at(-1) as (typeof steps)[number];

/** After the first attempt, the second, …; the last one stands for all behind it. Together 9,530 s for 100 attempts. */
export const kiteqWaits: readonly number[] = Array.from(
  { length: lastAttempt },
  (_, i) => steps.findLast(([attempt]) => attempt <= i + 1)?.[1] ?? 0,
);
