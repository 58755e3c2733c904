// The growing rate: never above its curve, full at its end, and no herd anywhere.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ramp, type RampShape } from '#src/policy/ramp.js';

const aShape: fc.Arbitrary<RampShape> = fc.record({
  from: fc.double({ min: 0.05, max: 50, noNaN: true }),
  to: fc.double({ min: 0.05, max: 2000, noNaN: true }),
  burst: fc.integer({ min: 1, max: 500 }),
  periodMs: fc.integer({ min: 200, max: 20_000 }),
});
const startMs = 7000;
/** Saved up for timers that are no finer than this. */
const pacingMs = 10;
const savedAtMost = ({ to, burst }: RampShape) => Math.min(burst, Math.max(1, (to * pacingMs) / 1000));

/** The area under the curve, from the curve itself. */
function areaBetween(ramp: Ramp, fromMs: number, untilMs: number): number {
  const steps = 400;
  const widthMs = (untilMs - fromMs) / steps;
  let area = 0;
  for (let i = 0; i < steps; i += 1) {
    const atMs = fromMs + i * widthMs;
    area += (ramp.rateAt(atMs) + 4 * ramp.rateAt(atMs + widthMs / 2) + ramp.rateAt(atMs + widthMs)) / 6;
  }
  return (area * widthMs) / 1000;
}

/** The area under a ramp and behind it. */
const areaAt = (ramp: Ramp, nowMs: number) =>
  areaBetween(ramp, startMs, Math.min(nowMs, ramp.endMs)) + areaBetween(ramp, Math.min(nowMs, ramp.endMs), nowMs);

function takeAll(ramp: Ramp, nowMs: number): number {
  let taken = 0;
  while (ramp.take(nowMs) === 0) taken += 1;
  return taken;
}

test('the rate grows by the same factor in every second, from the first to the last, and stays there', () => {
  const ramp = new Ramp({ from: 1, to: 1000, burst: 1, periodMs: 3000 }, startMs, 0);
  const rates = [-1000, 0, 1000, 2000, 3000, 9000].map((ms) => ramp.rateAt(startMs + ms));
  [1, 1, 10, 100, 1000, 1000].forEach((rate, i) => {
    expect(rates[i]).toBeCloseTo(rate, 6);
  });
});

test('a first rate above the last one is the last one', () => {
  const ramp = new Ramp({ from: 10, to: 2, burst: 1, periodMs: 3000 }, startMs, 0);
  expect(ramp.rateAt(startMs)).toBe(2);
  expect(ramp.take(startMs)).toBeCloseTo(500);
});

test('whenever it is asked: never more than what was saved and the area under the curve', () => {
  const gaps = fc.array(fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 3000 })), {
    minLength: 1,
    maxLength: 50,
    size: 'max',
  });
  fc.assert(
    fc.property(aShape, fc.constantFrom(0, 1), gaps, (shape, saved, gapsMs) => {
      const ramp = new Ramp(shape, startMs, saved);
      let nowMs = startMs;
      let taken = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        taken += takeAll(ramp, nowMs);
        expect(taken).toBeLessThanOrEqual(saved + areaAt(ramp, nowMs) + 0.01);
      }
    }),
  );
});

test('whoever waits as told passes, and nobody passes sooner', () => {
  fc.assert(
    fc.property(aShape, fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1 }), (shape, gapsMs) => {
      const ramp = new Ramp(shape, startMs, 0);
      let nowMs = startMs;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        for (let waitMs = ramp.take(nowMs); waitMs > 0; waitMs = ramp.take(nowMs)) {
          expect(ramp.take(nowMs + waitMs * 0.99)).toBeGreaterThan(0);
          nowMs += waitMs;
          expect(ramp.take(nowMs)).toBe(0);
          if (waitMs > 0) break;
        }
      }
    }),
  );
});

test('under endless demand almost all of the curve is used, and in no second of it or after it is there a herd', () => {
  fc.assert(
    fc.property(aShape, (anyShape) => {
      // A smaller burst is no finer than the steps of this test.
      const shape = { ...anyShape, burst: anyShape.burst + 10, periodMs: Math.min(anyShape.periodMs, 4000) };
      const ramp = new Ramp(shape, startMs, 0);
      const takenAt: number[] = [];
      const untilMs = ramp.endMs + 3000;
      for (let nowMs = startMs; nowMs <= untilMs; nowMs += 1) {
        for (let taken = takeAll(ramp, nowMs); taken > 0; taken -= 1) takenAt.push(nowMs);
      }
      // What is saved beyond one token between two looks is lost while the rate is low.
      expect(takenAt.length).toBeGreaterThan(areaAt(ramp, untilMs) * 0.88 - 2);
      let first = 0;
      takenAt.forEach((atMs, i) => {
        if (i % 10 > 0) return;
        while ((takenAt[first] as number) < atMs - 1000) first += 1;
        const area = areaAt(ramp, atMs) - areaAt(ramp, Math.max(startMs, atMs - 1000));
        // Both ends of the second count.
        expect(i - first).toBeLessThanOrEqual(area + savedAtMost(shape) + 0.01);
      });
    }),
    { numRuns: 20 },
  );
});

test('while the rate grows a rest saves up no more than what falls due between two timers', () => {
  fc.assert(
    fc.property(aShape, fc.double({ min: 0, max: 0.99, noNaN: true }), (shape, part) => {
      const ramp = new Ramp(shape, startMs, 1);
      expect(takeAll(ramp, startMs + shape.periodMs * part)).toBeLessThanOrEqual(savedAtMost(shape));
    }),
  );
});

test('a rest over the end of the ramp saves up no burst either', () => {
  const shape = { from: 1, to: 1000, burst: 1000, periodMs: 10_000 };
  const ramp = new Ramp(shape, startMs, 0);
  expect(takeAll(ramp, ramp.endMs + 1)).toBeLessThanOrEqual(savedAtMost(shape) + 1);
});

test('is over once the full rate is reached and a burst has been saved up', () => {
  const ramp = new Ramp({ from: 1, to: 10, burst: 10, periodMs: 1000 }, startMs, 0);
  for (let nowMs = startMs; nowMs <= startMs + 1000; nowMs += 1) takeAll(ramp, nowMs);
  expect(ramp.isOver(startMs + 1000)).toBe(false);
  expect(ramp.isOver(startMs + 1900)).toBe(false);
  expect(ramp.isOver(startMs + 2001)).toBe(true);
});

test('a token given back is there again at once', () => {
  const ramp = new Ramp({ from: 1, to: 10, burst: 10, periodMs: 1000 }, startMs, 1);
  expect(ramp.take(startMs)).toBe(0);
  ramp.giveBack();
  expect(ramp.take(startMs)).toBe(0);
  expect(ramp.take(startMs)).toBeGreaterThan(0);
});
