// What is remembered of attempts: counted by kind, the newest by message, all of it bounded.
import { expect, test } from 'vitest';
import { AttemptWatch } from '#src/dispatcher/view/attempt-watch.js';
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { aborted, refused, timedOut } from '../../../support/outcomes.js';
import { delivered, rejected } from '../../../support/scripted-target.js';

const deliveryOf = (changes: Partial<Delivery>, storedMs: number): Delivery =>
  ({
    id: 'a',
    origin: { topic: 'test', partition: 0, offset: 1n },
    source: { timestampMs: storedMs, headers: {} },
    side: null,
    destination: 'http://one',
    attempt: 1,
    ...changes,
  }) as Delivery;

function lab() {
  const clock = new FakeClock();
  const watch = new AttemptWatch(clock);
  const storedMs = clock.now();
  const end = (outcome: Outcome, changes: Partial<Delivery> = {}) =>
    watch.attempted('G1', deliveryOf(changes, storedMs), outcome);
  return { clock, watch, end };
}

test('failures that are alike are one row with its count and its newest message, the newest row first', () => {
  const { clock, watch, end } = lab();
  end(timedOut, { id: 'a' });
  end(refused, { id: 'b' });
  clock.advance(1000);
  end(timedOut, { id: 'c' });
  end(rejected, { id: 'd', destination: 'http://other' });
  end(aborted, { id: 'e' });
  const rows = watch.failures(10);
  expect(rows.map(({ destination, kind, count, lastId }) => [destination, kind, count, lastId])).toEqual([
    ['http://other', 'rejected', 1, 'd'],
    ['http://one', 'retry', 2, 'c'],
    ['http://one', 'retry', 1, 'b'],
  ]);
  expect(Date.parse(rows[1]?.last ?? '') - Date.parse(rows[1]?.first ?? '')).toBe(1000);
  expect(watch.failures(1)).toHaveLength(1);
  expect(watch.paceOf('test', 'G1').failed).toBe(4);
});

test('of a message all that failed is told in its order, and the success behind it; a first success is not noted', () => {
  const { watch, end } = lab();
  end(delivered, { id: 'well' });
  end(timedOut, { id: 'a', attempt: 1 });
  end(refused, { id: 'a', attempt: 2 });
  end(delivered, { id: 'a', attempt: 3 });
  expect(watch.ofMessage('well')).toEqual([]);
  expect(watch.ofMessage('a').map(({ attempt, kind }) => [attempt, kind])).toEqual([
    [1, 'retry'],
    [2, 'retry'],
    [3, 'delivered'],
  ]);
});

test('neither rows nor attempts grow beyond their bounds; what was touched longest ago goes', () => {
  const { watch, end } = lab();
  for (let i = 0; i < 10_000; i += 1) end(timedOut, { id: `m${i}`, destination: `http://d${i % 3000}` });
  const rows = watch.failures(100_000);
  expect(rows).toHaveLength(1024);
  expect(rows[0]?.lastId).toBe('m9999');
  expect(watch.ofMessage('m0')).toEqual([]);
  expect(watch.ofMessage('m9999')).toHaveLength(1);
  expect(watch.ofMessage('m5903')).toEqual([]);
  expect(watch.ofMessage('m5904')).toHaveLength(1);
});

test('a delivery took as long as it was wanted: from its acceptance, or from when it was due', () => {
  const { clock, watch, end } = lab();
  clock.advance(4000);
  end(delivered);
  const { deliveries, attempts } = watch.paceOf('test', 'G1');
  expect(deliveries.quantiles([1], clock.elapsedMs())[0]).toBeCloseTo(4000, -3);
  expect(attempts.quantiles([1], clock.elapsedMs())[0]).toBeLessThan(1.1);
  const source = { timestampMs: clock.now() - 4000, headers: { 'bigpipe-not-before': `${clock.now() - 100}` } };
  const { clock: later, watch: other } = lab();
  later.advance(4000);
  other.attempted('G1', deliveryOf({ source: source as unknown as Delivery['source'] }, 0), delivered);
  expect(other.paceOf('test', 'G1').deliveries.quantiles([1], later.elapsedMs())[0]).toBeCloseTo(100, -1);
});
