// What is due when: in order, without what has changed since, and bounded however many come and go.
import { expect, test } from 'vitest';
import { CheckPlan } from '#src/transaction/check-plan.js';
import { begun } from '#src/transaction/transaction-state.js';
import type { Transaction } from '#src/transaction/transaction-table.js';
import { Seeded } from '../../support/seeded.js';

const transactionOf = (id: string): Transaction => ({
  id,
  caller: 'c',
  checkUrls: [],
  firstCheckMs: 0,
  createdMs: 0,
  offset: 0,
  state: begun,
  changedAt: 1,
});

test('the next one first, and none before its time', () => {
  const plan = new CheckPlan();
  const random = new Seeded(7);
  const times = Array.from({ length: 3000 }, () => Math.floor(random.next() * 1000));
  for (const dueMs of times) plan.add(dueMs, transactionOf(`${dueMs}`));
  const taken = (nowMs: number) => {
    const all: number[] = [];
    for (let one = plan.take(nowMs); one !== undefined; one = plan.take(nowMs)) all.push(Number(one.id));
    return all;
  };
  const sorted = times.toSorted((a, b) => a - b);
  expect(taken(-1)).toEqual([]);
  expect(taken(400)).toEqual(sorted.filter((dueMs) => dueMs <= 400));
  expect(taken(1000)).toEqual(sorted.filter((dueMs) => dueMs > 400));
  expect(plan.size).toBe(0);
});

test('those to which something has happened are passed over, and do not pile up until their time', () => {
  const plan = new CheckPlan();
  const kept = Array.from({ length: 500 }, (_, i) => transactionOf(`kept ${i}`));
  for (const [i, one] of kept.entries()) plan.add(10_000 - i, one);
  let most = 0;
  for (let i = 0; i < 100_000; i += 1) {
    const one = transactionOf('decided');
    plan.add(3_600_000 + i, one);
    one.changedAt = 2;
    most = Math.max(most, plan.size);
  }
  expect(most).toBeLessThanOrEqual(2 * 500 + 1024);
  const first = plan.take(Number.POSITIVE_INFINITY);
  expect(first).toBe(kept.at(-1));
  let left = 0;
  while (plan.take(Number.POSITIVE_INFINITY) !== undefined) left += 1;
  expect(left).toBe(499);
});
