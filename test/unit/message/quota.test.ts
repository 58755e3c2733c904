// How many calls a caller may make, and what it is told when it made too many.
import { expect, test } from 'vitest';
import { Quota } from '#src/message/quota.js';

const taken = (quota: Quota, count: number, nowMs: number) => {
  let got = 0;
  while (got < count && quota.take(1, nowMs) === null) got += 1;
  return got;
};

test('a burst at once, and then the rate', () => {
  const quota = new Quota('calls', { perSecond: 10, burst: 5 });
  expect(taken(quota, 100, 1000)).toBe(5);
  expect(taken(quota, 100, 1050)).toBe(0);
  expect(taken(quota, 100, 1100)).toBe(1);
  expect(taken(quota, 100, 1300)).toBe(2);
  expect(taken(quota, 100, 100_000)).toBe(5);
});

test('who waits as long as it is told gets in', () => {
  const quota = new Quota('calls', { perSecond: 0.5, burst: 1 });
  expect(quota.take(1, 0)).toBeNull();
  const throttle = quota.take(1, 100);
  expect(throttle?.headers).toEqual({
    'retry-after': '2',
    ratelimit: '"calls";r=0;t=2',
    'ratelimit-policy': '"calls";q=1;w=2',
  });
  expect(quota.take(1, 100 + 1000 * (throttle?.retryAfterS ?? 0))).toBeNull();
});

test('several count as several; more than a burst waits for all of it, and owes the rest', () => {
  const quota = new Quota('calls', { perSecond: 10, burst: 10 });
  expect(quota.take(4, 0)).toBeNull();
  expect(quota.take(7, 0)?.headers['ratelimit']).toBe('"calls";r=6;t=1');
  expect(quota.take(6, 0)).toBeNull();
  expect(quota.take(30, 500)).not.toBeNull();
  expect(quota.take(30, 1000)).toBeNull();
  expect(quota.take(1, 3000)).not.toBeNull();
  expect(quota.take(1, 3100)).toBeNull();
});

test('another rate holds at once, and what was used stays used', () => {
  const quota = new Quota('calls', { perSecond: 10, burst: 10 });
  expect(taken(quota, 100, 0)).toBe(10);
  quota.adjust({ perSecond: 100, burst: 20 }, 0);
  expect(taken(quota, 100, 0)).toBe(10);
  expect(taken(quota, 100, 50)).toBe(5);
  quota.adjust({ perSecond: 1, burst: 1 }, 50);
  expect(taken(quota, 100, 50)).toBe(0);
  expect(taken(quota, 100, 1050)).toBe(1);
});
