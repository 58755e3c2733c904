// The wait between attempts.
import { expect, test } from 'vitest';
import { backoffMs } from '#src/policy/backoff.js';

const settings = { initialMs: 100, maxMs: 1000, factor: 2, jitter: 'none' } as const;

test('grows by the factor up to the bound', () => {
  expect([1, 2, 3, 4, 5, 6].map((attempt) => backoffMs(attempt, settings, 0.5))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
});

test('full jitter takes a random part of it', () => {
  expect(backoffMs(3, { ...settings, jitter: 'full' }, 0)).toBe(0);
  expect(backoffMs(3, { ...settings, jitter: 'full' }, 0.25)).toBe(100);
});

test('the thousandth attempt is still within the bound', () => {
  expect(backoffMs(1001, settings, 0)).toBe(1000);
});
