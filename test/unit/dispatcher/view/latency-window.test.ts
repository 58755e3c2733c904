// Quantiles of durations over the last seconds, right to within a bucket, and nothing of what is older.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyWindow } from '#src/dispatcher/view/latency-window.js';

const shares = [0.5, 0.99, 1];

test('a quantile is within 9 % of the one that sorting gives', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000_000 }), { minLength: 1 }), (durations) => {
      const window = new LatencyWindow(10, 0);
      for (const duration of durations) window.add(duration, 500);
      const sorted = durations.toSorted((a, b) => a - b);
      for (const [i, found] of window.quantiles(shares, 500).entries()) {
        const exact = sorted[Math.ceil((shares[i] as number) * sorted.length) - 1] as number;
        expect((found as number) / exact).toBeGreaterThan(0.91);
        expect((found as number) / exact).toBeLessThan(1.1);
      }
    }),
  );
});

test('what is older than the window is forgotten, also after a long silence, and a clock that goes back is borne', () => {
  const window = new LatencyWindow(3, 10_000);
  window.add(100, 10_000);
  window.add(1000, 12_000);
  expect(window.quantiles([0.5], 12_999)[0]).toBeCloseTo(100, -1);
  expect(window.quantiles([0.5], 13_000)[0]).toBeGreaterThan(900);
  expect(window.quantiles([0.5], 15_000)).toEqual([null]);
  window.add(10, 90_000);
  window.add(10, 80_000);
  expect(window.quantiles([0.5], 90_000)[0]).toBeCloseTo(10, 0);
});

test('nothing and more than an hour have a place', () => {
  const window = new LatencyWindow(1, 0);
  window.add(-5, 0);
  expect(window.quantiles([1], 0)[0]).toBeLessThan(1.1);
  window.add(1e9, 0);
  expect(window.quantiles([1], 0)[0]).toBeGreaterThan(3_600_000);
});
