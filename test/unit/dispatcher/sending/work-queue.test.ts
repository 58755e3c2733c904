// First in, first out, over any mix of pushing and taking.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WorkQueue } from '#src/dispatcher/sending/work-queue.js';

test('behaves like a plain array', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 5000 }), (pushes) => {
      const queue = new WorkQueue<number>();
      const model: number[] = [];
      pushes.forEach((push, n) => {
        if (push) {
          queue.push(n);
          model.push(n);
        } else expect(queue.shift()).toBe(model.shift());
        expect(queue.length).toBe(model.length);
        expect(queue.peek()).toBe(model[0]);
      });
    }),
  );
});

test('moves its items down without losing one', () => {
  const queue = new WorkQueue<number>();
  for (let i = 0; i < 5000; i += 1) queue.push(i);
  for (let i = 0; i < 5000; i += 1) expect(queue.shift()).toBe(i);
  expect(queue.shift()).toBeUndefined();
});
