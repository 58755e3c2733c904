// The limit that follows the receiver: against receivers of a known capacity.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AdaptiveLimit, type LimitSign } from '#src/policy/adaptive-limit.js';

/** So many at a time without a queue; the others queue, and all wait longer. */
interface Receiver {
  readonly capacity: number;
  readonly serviceMs: number;
}

/** As much as the limit allows is always in flight. */
function press(limit: AdaptiveLimit, { capacity, serviceMs }: Receiver, attempts: number): number[] {
  const limits: number[] = [];
  for (let i = 0; i < attempts; i += 1) {
    const inFlight = limit.limit;
    limit.sample('done', serviceMs * Math.max(1, inFlight / capacity), inFlight);
    limits.push(limit.limit);
  }
  return limits;
}

const aReceiver = fc.record({
  capacity: fc.integer({ min: 5, max: 100 }),
  serviceMs: fc.integer({ min: 1, max: 500 }),
});

test('begins at 10, or at the nearest bound', () => {
  expect(new AdaptiveLimit(1, 200).limit).toBe(10);
  expect(new AdaptiveLimit(20, 200).limit).toBe(20);
  expect(new AdaptiveLimit(1, 4).limit).toBe(4);
});

test('stays whole and within its bounds, whatever comes, also when these change', () => {
  const bounds = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 500 })).map(([min, more]) => ({
    min,
    max: min + more,
  }));
  const aSample = fc.record({
    durationMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 60_000, noNaN: true })),
    sign: fc.constantFrom<LimitSign>('done', 'overloaded', 'other'),
    inFlight: fc.integer({ min: 1, max: 600 }),
    change: fc.option(bounds, { freq: 20 }),
  });
  fc.assert(
    fc.property(bounds, fc.array(aSample, { maxLength: 300, size: 'max' }), (first, samples) => {
      const limit = new AdaptiveLimit(first.min, first.max);
      let { min, max } = first;
      for (const { durationMs, sign, inFlight, change } of samples) {
        limit.sample(sign, durationMs, inFlight);
        if (change !== null) {
          ({ min, max } = change);
          limit.adjust(min, max);
        }
        expect(Number.isInteger(limit.limit)).toBe(true);
        expect(limit.limit).toBeGreaterThanOrEqual(min);
        expect(limit.limit).toBeLessThanOrEqual(max);
      }
    }),
  );
});

describe('with a receiver of a fixed capacity', () => {
  test('it grows to the capacity and a few more', () => {
    fc.assert(
      fc.property(aReceiver, (receiver) => {
        const limit = new AdaptiveLimit(1, 300);
        const limits = press(limit, receiver, 20 * receiver.capacity);
        // Vegas leaves a queue of a few, the more the higher the limit.
        const queue = 6 * Math.log10(receiver.capacity + 20) + 2;
        expect(Math.max(...limits)).toBeGreaterThanOrEqual(Math.min(receiver.capacity, 20));
        expect(Math.max(...limits)).toBeLessThanOrEqual(receiver.capacity + queue + 5);
      }),
    );
  });

  test('it stays near the capacity for as long as the receiver stays as it is', () => {
    const receiver = { capacity: 20, serviceMs: 50 };
    const limits = press(new AdaptiveLimit(1, 200), receiver, 20_000);
    expect(Math.max(...limits.slice(-1000))).toBeLessThan(2 * receiver.capacity);
  });

  test('a receiver that became slower is followed down, one that became faster up', () => {
    const limit = new AdaptiveLimit(1, 200);
    const [before] = press(limit, { capacity: 40, serviceMs: 50 }, 500).slice(-1);
    const [slower] = press(limit, { capacity: 10, serviceMs: 50 }, 500).slice(-1);
    expect(slower as number).toBeLessThan(before as number);
    const [faster] = press(limit, { capacity: 80, serviceMs: 10 }, 5000).slice(-1);
    expect(faster as number).toBeGreaterThan(before as number);
  });
});

test('each round with a timeout, a 429 or a 503 in it shrinks the limit by a tenth, down to min', () => {
  const limit = new AdaptiveLimit(2, 100);
  const limits: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    const { limit: inFlight } = limit;
    limit.sample('overloaded', 1000, inFlight);
    for (let i = 1; i < inFlight; i += 1) limit.sample('done', 10, inFlight);
    limits.push(limit.limit);
  }
  expect(limits.slice(0, 3)).toEqual([9, 8, 7]);
  expect(limits.at(-1)).toBe(2);
});

test('who does not use the limit learns nothing about a higher one', () => {
  const limit = new AdaptiveLimit(1, 200);
  for (let i = 0; i < 1000; i += 1) limit.sample('done', 50, 2);
  expect(limit.limit).toBe(10);
});
