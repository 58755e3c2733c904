// How many messages a topic takes.
import { expect, test } from 'vitest';
import { TopicLimits } from '#src/producer/topic-limits.js';
import { FakeClock } from '../../support/fake-clock.js';

const taken = (limits: TopicLimits, topic: string, count: number) =>
  Array.from({ length: count }, () => limits.take(topic)).filter((error) => error === null).length;

test('a topic takes its burst at once and its rate from then on; others are free', () => {
  const clock = new FakeClock();
  const limits = new TopicLimits(clock, [{ topic: 'a', rate: { perSecond: 10, burst: 5 } }]);
  expect([taken(limits, 'a', 20), taken(limits, 'b', 1000)]).toEqual([5, 1000]);
  expect(limits.take('a')).toMatchObject({ code: 'overloaded', retriable: true });
  clock.advance(300);
  expect(taken(limits, 'a', 20)).toBe(3);
  clock.advance(60_000);
  expect(taken(limits, 'a', 20)).toBe(5);
});

test('a change keeps what was used', () => {
  const clock = new FakeClock();
  const limits = new TopicLimits(clock, [{ topic: 'a', rate: { perSecond: 1, burst: 2 } }]);
  expect(taken(limits, 'a', 5)).toBe(2);
  limits.adjust([{ topic: 'a', rate: { perSecond: 1, burst: 3 } }]);
  expect(taken(limits, 'a', 5)).toBe(1);
  limits.adjust([]);
  expect(taken(limits, 'a', 5)).toBe(5);
});
