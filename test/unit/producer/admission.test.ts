// The bound at the door.
import { expect, test } from 'vitest';
import { Admission } from '#src/producer/admission.js';

test('refuses past the count and past the bytes, and lets in again', () => {
  const admission = new Admission(3, 100);
  expect([admission.enter(40), admission.enter(60), admission.enter(1)]).toEqual([true, true, false]);
  admission.leave(40);
  expect([admission.enter(10), admission.enter(30), admission.enter(1)]).toEqual([true, true, false]);
  expect(admission.size).toBe(3);
});

test('one message always fits, however large', () => {
  const admission = new Admission(3, 100);
  expect([admission.enter(1000), admission.enter(1)]).toEqual([true, false]);
});

test('bounds that change hold for who comes next, and what is inside stays inside', () => {
  const admission = new Admission(3, 100);
  expect([admission.enter(40), admission.enter(40)]).toEqual([true, true]);
  admission.adjust(1, 50);
  expect([admission.size, admission.enter(1)]).toEqual([2, false]);
  admission.leave(40);
  expect(admission.enter(1)).toBe(false);
  admission.leave(40);
  expect(admission.enter(1)).toBe(true);
  admission.adjust(2, 100);
  expect([admission.enter(99), admission.enter(1)]).toEqual([true, false]);
});

test('it is told when nothing is inside any more, whoever left last', async () => {
  const admission = new Admission(3, 100);
  await admission.empty();
  admission.enter(40);
  admission.enter(40);
  let isEmpty = false;
  const emptied = admission.empty().then(() => {
    isEmpty = true;
  });
  admission.leave(40);
  await Promise.resolve();
  expect(isEmpty).toBe(false);
  admission.leave(40);
  await emptied;
});
