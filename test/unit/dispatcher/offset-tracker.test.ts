// The commit point: against a simple model, and over every restart.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OffsetTracker, readMetadata } from '#src/dispatcher/offset-tracker.js';

const manyBytes = 10_000;

/** Takes the offsets from..to-1 and returns which of them were still open. */
function takeAll(tracker: OffsetTracker, from: number, to: number): number[] {
  const open: number[] = [];
  for (let offset = from; offset < to; offset += 1) if (tracker.take(BigInt(offset))) open.push(offset);
  return open;
}

describe('OffsetTracker', () => {
  test('the mark is the first offset that is not settled', () => {
    const tracker = new OffsetTracker(5n, '');
    takeAll(tracker, 5, 10);
    expect(tracker.mark).toBe(5n);
    tracker.settle(6n);
    expect(tracker.mark).toBe(5n);
    tracker.settle(5n);
    expect(tracker.mark).toBe(7n);
    for (const offset of [7n, 8n, 9n]) tracker.settle(offset);
    expect(tracker.mark).toBe(10n);
    expect(tracker.metadata(manyBytes)).toBe('');
  });

  test('offsets that hold nothing do not hold the mark', () => {
    const tracker = new OffsetTracker(0n, '');
    tracker.take(3n);
    tracker.skipTo(9n);
    expect(tracker.mark).toBe(3n);
    tracker.settle(3n);
    expect(tracker.mark).toBe(9n);
  });

  test('metadata says what is settled above the mark', () => {
    const tracker = new OffsetTracker(100n, '');
    takeAll(tracker, 100, 110);
    for (const offset of [101n, 102n, 105n]) tracker.settle(offset);
    expect(tracker.metadata(manyBytes)).toBe('1:1.2.2.1');
    expect(readMetadata(100n, '1:1.2.2.1')).toEqual([
      [101n, 103n],
      [105n, 106n],
    ]);
  });

  test.each(['', 'garbage', '2:1.1', '1:', '1:-1.2', '1:1.x!', '1:1..2', `1:1.${'9'.repeat(40)}`])(
    'metadata %s reads as nothing settled',
    (metadata) => {
      const tracker = new OffsetTracker(0n, metadata);
      expect(takeAll(tracker, 0, 5)).toEqual([0, 1, 2, 3, 4]);
    },
  );

  test('a restart takes exactly what was not settled, also when it happens before everything was read again', () => {
    const steps = fc.record({
      count: fc.integer({ min: 1, max: 60 }),
      settled: fc.array(fc.nat({ max: 59 })),
      secondRead: fc.nat({ max: 60 }),
      secondSettled: fc.array(fc.nat({ max: 59 })),
    });
    // The example: everything read again is settled, and what comes next was settled before.
    const example = { count: 2, settled: [1], secondRead: 1, secondSettled: [0] };
    fc.assert(
      fc.property(steps, ({ count, settled, secondRead, secondSettled }) => {
        const done = new Set<number>();
        const first = new OffsetTracker(0n, '');
        takeAll(first, 0, count);
        for (const offset of settled.filter((o) => o < count)) {
          first.settle(BigInt(offset));
          done.add(offset);
        }
        const second = new OffsetTracker(first.mark, first.metadata(manyBytes));
        const upTo = Math.min(count, Number(first.mark) + secondRead);
        const again = takeAll(second, Number(first.mark), upTo);
        expect(again).toEqual(range(Number(first.mark), upTo).filter((o) => !done.has(o)));
        for (const offset of secondSettled.filter((o) => again.includes(o))) {
          second.settle(BigInt(offset));
          done.add(offset);
        }
        const third = new OffsetTracker(second.mark, second.metadata(manyBytes));
        const open = takeAll(third, Number(second.mark), count);
        expect(open).toEqual(range(Number(second.mark), count).filter((o) => !done.has(o)));
        for (let offset = 0; offset < Number(second.mark); offset += 1) expect(done.has(offset)).toBe(true);
      }),
      { examples: [[example]], numRuns: 1000 },
    );
  });

  test('metadata never outgrows its bound and never claims what is not settled', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 300 })), fc.integer({ min: 0, max: 80 }), (settled, bound) => {
        const tracker = new OffsetTracker(0n, '');
        takeAll(tracker, 0, 301);
        for (const offset of settled) tracker.settle(BigInt(offset));
        const metadata = tracker.metadata(bound);
        expect(metadata.length).toBeLessThanOrEqual(bound);
        for (const [first, end] of readMetadata(tracker.mark, metadata)) {
          for (let offset = first; offset < end; offset += 1n) expect(settled).toContain(Number(offset));
        }
      }),
    );
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
