// KiteQ's table of waits.
import { expect, test } from 'vitest';
import { kiteqWaits } from '#src/config-watch/kiteq-waits.js';
import { backoffMs } from '#src/policy/backoff.js';

test.each([
  [1, 0],
  [3, 0],
  [4, 5],
  [9, 5],
  [10, 10],
  [19, 10],
  [20, 20],
  [30, 40],
  [40, 80],
  [49, 80],
  [50, 160],
  [99, 160],
])('after attempt %i it waits %i s', (attempt, seconds) => {
  expect(backoffMs(attempt, kiteqWaits, 0.5)).toBe(seconds * 1000);
});

test('a hundred attempts take 2 h 39 min', () => {
  const waits = Array.from({ length: 99 }, (_, i) => backoffMs(i + 1, kiteqWaits, 0));
  expect(waits.reduce((sum, ms) => sum + ms, 0)).toBe(9_530_000);
});
