// When a backlog will be gone: from how it shrank, and never a promise where it does not shrink.
import { expect, test } from 'vitest';
import { drainSeconds } from '#src/monitor/drain-forecast.js';

const at = (seconds: number, committed: number, end: number) => ({
  atMs: seconds * 1000,
  committed: BigInt(committed),
  end: BigInt(end),
});

test('what shrinks by ten a second, appends counted, is gone after a tenth of its length', () => {
  expect(drainSeconds(at(0, 0, 1000), at(10, 150, 1050))).toBe(90);
});

test('without a backlog there is nothing to wait for, whatever was before', () => {
  expect(drainSeconds(null, at(10, 50, 50))).toBe(0);
  expect(drainSeconds(at(0, 0, 0), at(10, 50, 50))).toBe(0);
});

test('no end is foreseen where nothing is consumed, where more comes in than goes, and at the first look', () => {
  expect(drainSeconds(at(0, 5, 10), at(10, 5, 10))).toBeNull();
  expect(drainSeconds(at(0, 5, 10), at(10, 8, 20))).toBeNull();
  expect(drainSeconds(null, at(10, 8, 20))).toBeNull();
  expect(drainSeconds(at(10, 5, 20), at(10, 8, 20))).toBeNull();
});
