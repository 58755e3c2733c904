// The rate limit's arithmetic against what any observer may count.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TokenBucket } from '#src/policy/token-bucket.js';

test('a burst goes at once, the next after exactly one interval', () => {
  const bucket = new TokenBucket(2, 3, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0]);
  expect(bucket.take(0)).toBe(500);
  expect(bucket.take(499)).toBeCloseTo(1);
  expect(bucket.take(500)).toBe(0);
});

test('half a token a second lets one through every two seconds', () => {
  const bucket = new TokenBucket(0.5, 1, 0);
  expect(bucket.take(0)).toBe(0);
  expect(bucket.take(0)).toBe(2000);
  expect(bucket.take(2000)).toBe(0);
});

test('a token given back is there again, never more than the burst', () => {
  const bucket = new TokenBucket(1, 1, 0);
  bucket.take(0);
  bucket.giveBack();
  bucket.giveBack();
  expect(bucket.take(0)).toBe(0);
  expect(bucket.take(0)).toBeGreaterThan(0);
});

test('new settings keep the level', () => {
  const bucket = new TokenBucket(10, 10, 0);
  for (let i = 0; i < 9; i += 1) bucket.take(0);
  bucket.adjust(1, 5, 0);
  expect(bucket.take(0)).toBe(0);
  expect(bucket.take(0)).toBe(1000);
});

test('time that goes back gives nothing', () => {
  const bucket = new TokenBucket(1, 1, 1000);
  bucket.take(1000);
  expect(bucket.take(0)).toBe(1000);
});

test('in no span of time do more pass than burst + rate × span, and whoever waits as told passes', () => {
  const run = fc.record({
    rate: fc.double({ min: 0.1, max: 1000, noNaN: true }),
    burst: fc.integer({ min: 1, max: 100 }),
    gapsMs: fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 }),
  });
  fc.assert(
    fc.property(run, ({ rate, burst, gapsMs }) => {
      const bucket = new TokenBucket(rate, burst, 0);
      const passedAt: number[] = [];
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        const waitMs = bucket.take(nowMs);
        if (waitMs > 0) {
          nowMs += waitMs;
          expect(bucket.take(nowMs)).toBe(0);
        }
        passedAt.push(nowMs);
      }
      passedAt.forEach((from, i) => {
        const spanMs = (passedAt.at(-1) as number) - from;
        expect(passedAt.length - i).toBeLessThanOrEqual(burst + (rate * spanMs) / 1000 + 1e-3);
      });
    }),
  );
});

test('time that goes back and comes again gives nothing twice', () => {
  const bucket = new TokenBucket(1, 1, 1000);
  bucket.take(1000);
  bucket.take(0);
  expect(bucket.take(1000)).toBe(1000);
});

test('taking, giving back and new settings, in any order: as a simple sum of tokens', () => {
  const aRate = fc.double({ min: 0.1, max: 1000, noNaN: true });
  const aBurst = fc.integer({ min: 1, max: 50 });
  const aStep = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2000 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('give back' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('adjust' as const), rate: aRate, burst: aBurst }) },
  );
  fc.assert(
    fc.property(aRate, aBurst, fc.array(aStep, { maxLength: 100, size: 'max' }), (firstRate, firstBurst, steps) => {
      const bucket = new TokenBucket(firstRate, firstBurst, 0);
      let [rate, burst, level, nowMs, taken] = [firstRate, firstBurst, firstBurst, 0, 0];
      for (const step of steps) {
        if (step.kind === 'wait') {
          nowMs += step.ms;
          level = Math.min(burst, level + (step.ms / 1000) * rate);
        } else if (step.kind === 'adjust') {
          ({ rate, burst } = step);
          level = Math.min(burst, level);
          bucket.adjust(rate, burst, nowMs);
        } else if (step.kind === 'give back') {
          if (taken === 0) continue;
          taken -= 1;
          level = Math.min(burst, level + 1);
          bucket.giveBack();
        } else {
          const waitMs = bucket.take(nowMs);
          if (level >= 1 - 1e-5) {
            expect(waitMs).toBe(0);
            level = Math.max(0, level - 1);
            taken += 1;
          } else expect(waitMs).toBeCloseTo(((1 - level) / rate) * 1000, 1);
        }
      }
    }),
  );
});
