// Counts over the last seconds, against a list of all that was counted.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SecondCounts } from '#src/policy/second-counts.js';

test('the sums are those of the window that ends with the present second, whatever the gaps', () => {
  const aStep = fc.record({
    gapMs: fc.oneof(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 100_000 })),
    first: fc.nat({ max: 5 }),
    second: fc.nat({ max: 5 }),
  });
  const startMs = fc.double({ min: 0, max: 2e12, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), startMs, fc.array(aStep), (windowSeconds, start, steps) => {
      const counts = new SecondCounts(windowSeconds, start);
      const all: { second: number; counted: readonly [number, number] }[] = [];
      let nowMs = start;
      for (const { gapMs, first, second } of steps) {
        nowMs += gapMs;
        counts.add(first, second, nowMs);
        all.push({ second: Math.floor(nowMs / 1000), counted: [first, second] });
        const inWindow = all.filter((entry) => entry.second > Math.floor(nowMs / 1000) - windowSeconds);
        const sum = (of: 0 | 1) => inWindow.reduce((total, { counted }) => total + counted[of], 0);
        expect(counts.totals(nowMs)).toEqual([sum(0), sum(1)]);
      }
      expect(counts.totals(nowMs + windowSeconds * 1000)).toEqual([0, 0]);
    }),
  );
});

test('what is taken back in the same second is gone; nothing goes below zero', () => {
  const counts = new SecondCounts(3, 0);
  counts.add(2, 1, 100);
  counts.add(-1, -1, 900);
  expect(counts.totals(900)).toEqual([1, 0]);
  counts.add(-5, -5, 900);
  expect(counts.totals(900)).toEqual([0, 0]);
  counts.add(1, 0, 900);
  counts.add(-3, 0, 1000);
  expect(counts.totals(1000)).toEqual([1, 0]);
});

test('a time that goes back counts into the newest second', () => {
  const counts = new SecondCounts(2, 5000);
  counts.add(1, 0, 5000);
  counts.add(1, 0, 3000);
  expect(counts.totals(6999)).toEqual([2, 0]);
  expect(counts.totals(7000)).toEqual([0, 0]);
});
