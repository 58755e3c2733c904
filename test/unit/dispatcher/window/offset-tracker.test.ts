// The commit point: against a simple model, and over every restart.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OffsetTracker, readMetadata } from '#src/dispatcher/window/offset-tracker.js';

const manyBytes = 10_000;

/** Takes the offsets from..to-1 and returns which of them were still open. */
function takeAll(tracker: OffsetTracker<string>, from: number, to: number): number[] {
  const open: number[] = [];
  for (let offset = from; offset < to; offset += 1) if (tracker.take(BigInt(offset))) open.push(offset);
  return open;
}

describe('OffsetTracker', () => {
  test('the mark is the first offset that is not settled', () => {
    const tracker = new OffsetTracker<string>(5n, '', 0n);
    takeAll(tracker, 5, 10);
    expect(tracker.mark).toBe(5n);
    tracker.settle(6n);
    expect(tracker.mark).toBe(5n);
    tracker.settle(5n);
    expect(tracker.mark).toBe(7n);
    for (const offset of [7n, 8n, 9n]) tracker.settle(offset);
    expect(tracker.mark).toBe(10n);
    expect(tracker.metadata(manyBytes, null)).toBe('');
  });

  test('offsets that hold nothing do not hold the mark', () => {
    const tracker = new OffsetTracker<string>(0n, '', 0n);
    tracker.take(3n);
    tracker.skipTo(9n);
    expect(tracker.mark).toBe(3n);
    tracker.settle(3n);
    expect(tracker.mark).toBe(9n);
  });

  test('metadata says what is settled above the mark', () => {
    const tracker = new OffsetTracker<string>(100n, '', 0n);
    takeAll(tracker, 100, 110);
    for (const offset of [101n, 102n, 105n]) tracker.settle(offset);
    expect(tracker.metadata(manyBytes, null)).toBe('2::1.2.2.1');
    expect(readMetadata(100n, '2::1.2.2.1')).toEqual({
      handOut: null,
      settled: [
        [101n, 103n],
        [105n, 106n],
      ],
      spilled: '',
      copies: '',
      followFrom: null,
    });
  });

  test.each([
    '',
    'garbage',
    '1:1.1',
    '2:',
    '2::',
    '2::-1.2',
    '2::1.x!',
    '2::1..2',
    '2:x3:1.1',
    `2::1.${'9'.repeat(40)}`,
  ])('metadata %s reads as nothing settled', (metadata) => {
    const tracker = new OffsetTracker<string>(0n, metadata, 0n);
    expect(takeAll(tracker, 0, 5)).toEqual([0, 1, 2, 3, 4]);
  });

  test('metadata says how far messages had been handed out, and the next owner knows it offset by offset', () => {
    const first = new OffsetTracker<string>(100n, '', 0n);
    takeAll(first, 100, 104);
    first.settle(101n);
    const metadata = first.metadata(manyBytes, { end: 106n, cause: 'crash' });
    expect(metadata).toBe('2:c6:1.1');
    const second = new OffsetTracker<string>(100n, metadata, 0n);
    expect([100n, 105n, 106n].map((offset) => second.handedOutBefore(offset))).toEqual(['crash', 'crash', null]);
    // Before all of it is read again, an end by itself says no less.
    takeAll(second, 100, 101);
    expect(second.metadata(manyBytes, { end: 101n, cause: 'rebalance' })).toBe('2:c6:1.1');
    takeAll(second, 102, 106);
    expect(second.metadata(manyBytes, { end: 106n, cause: 'rebalance' })).toBe('2:r6:1.1');
    expect(second.metadata(manyBytes, null)).toBe('2::1.1');
  });

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
        const first = new OffsetTracker<string>(0n, '', 0n);
        takeAll(first, 0, count);
        for (const offset of settled.filter((o) => o < count)) {
          first.settle(BigInt(offset));
          done.add(offset);
        }
        const second = new OffsetTracker<string>(first.mark, first.metadata(manyBytes, null), 0n);
        const upTo = Math.min(count, Number(first.mark) + secondRead);
        const again = takeAll(second, Number(first.mark), upTo);
        expect(again).toEqual(range(Number(first.mark), upTo).filter((o) => !done.has(o)));
        for (const offset of secondSettled.filter((o) => again.includes(o))) {
          second.settle(BigInt(offset));
          done.add(offset);
        }
        const third = new OffsetTracker<string>(second.mark, second.metadata(manyBytes, null), 0n);
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
        const tracker = new OffsetTracker<string>(0n, '', 0n);
        takeAll(tracker, 0, 301);
        for (const offset of settled) tracker.settle(BigInt(offset));
        const metadata = tracker.metadata(bound, null);
        expect(metadata.length).toBeLessThanOrEqual(bound);
        for (const [first, end] of readMetadata(tracker.mark, metadata).settled) {
          for (let offset = first; offset < end; offset += 1n) expect(settled).toContain(Number(offset));
        }
      }),
    );
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
