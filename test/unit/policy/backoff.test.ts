// The wait between attempts.
import fc from 'fast-check';
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

test('a list is taken wait by wait, the last one for all that follow, and without jitter', () => {
  const waits = [5, 70, 30];
  expect([1, 2, 3, 4, 1001].map((attempt) => backoffMs(attempt, waits, 0.5))).toEqual([5, 70, 30, 30, 30]);
});

const anAttempt = fc.integer({ min: 1, max: 1001 });
const aRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('any curve: never negative, never above the bound, and jitter never waits longer than none', () => {
  const aCurve = fc.record({
    initialMs: fc.integer({ min: 1, max: 86_400_000 }),
    maxMs: fc.integer({ min: 1, max: 86_400_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
  });
  fc.assert(
    fc.property(aCurve, anAttempt, aRandom, (curve, attempt, random) => {
      const plain = backoffMs(attempt, { ...curve, jitter: 'none' }, random);
      const jittered = backoffMs(attempt, { ...curve, jitter: 'full' }, random);
      expect(plain).toBeGreaterThan(0);
      expect(plain).toBeLessThanOrEqual(curve.maxMs);
      expect(plain).toBeLessThanOrEqual(backoffMs(attempt + 1, { ...curve, jitter: 'none' }, random));
      expect(jittered).toBeCloseTo(plain * random);
    }),
  );
});

test('any list: the wait stands in it', () => {
  const aList = fc.array(fc.integer({ min: 1, max: 86_400_000 }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(aList, anAttempt, aRandom, (waits, attempt, random) => {
      expect(backoffMs(attempt, waits, random)).toBe(waits[attempt - 1] ?? waits.at(-1));
    }),
  );
});
