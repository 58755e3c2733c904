// What waits for its time, against a sorted list.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueQueue } from '#src/dispatcher/sending/due-queue.js';
import { FakeClock } from '../../../support/fake-clock.js';

interface Named {
  readonly name: string;
}

const named = (name: string): Named => ({ name });
const numbered = (count: number) => Array.from({ length: count }, (_, i) => named(`${i}`));

test('each item comes once, at its time and not before, the earliest first, by one timer at a time', () => {
  const items = numbered(21);
  const anItem = fc.constantFrom(...items);
  const aStep = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        item: anItem,
        inMs: fc.oneof(fc.integer({ min: -10, max: 100 }), fc.double({ min: 0, max: 50, noNaN: true })),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), item: anItem }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat({ max: 40 }) }) },
  );
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 120, size: 'max' }), (steps) => {
      const clock = new FakeClock(5000);
      const model = new Map<Named, number>();
      let batch = 0;
      const queue = new DueQueue<Named>(
        clock,
        (item) => {
          const dueMs = model.get(item) ?? Number.NaN;
          expect(clock.elapsedMs()).toBeGreaterThanOrEqual(dueMs);
          expect(dueMs).toBe(Math.min(...model.values()));
          model.delete(item);
          batch += 1;
        },
        () => {
          batch = 0;
        },
      );
      for (const step of steps) {
        if (step.kind === 'wait') {
          clock.advance(step.ms);
          expect(batch).toBe(0);
          // Timers are whole milliseconds: nothing that is due stays longer than one.
          for (const dueMs of model.values()) expect(dueMs).toBeGreaterThan(clock.elapsedMs() - 1);
        } else if (step.kind === 'add') {
          const dueMs = clock.elapsedMs() + step.inMs;
          queue.add(step.item, dueMs);
          model.set(step.item, dueMs);
        } else {
          queue.remove(step.item);
          model.delete(step.item);
        }
        expect(queue.size).toBe(model.size);
        for (const item of items) expect(queue.dueOf(item)).toBe(model.get(item) ?? null);
        expect(clock.pending).toBeLessThanOrEqual(1);
        if (queue.size > 0) expect(clock.pending).toBe(1);
      }
      clock.advance(200);
      expect([queue.size, model.size, clock.pending]).toEqual([0, 0, 0]);
    }),
    { numRuns: 300 },
  );
});

test('what is due together comes together, and the batch ends once behind it', () => {
  const clock = new FakeClock(5000);
  const seen: string[] = [];
  const queue = new DueQueue<Named>(
    clock,
    ({ name }) => seen.push(name),
    () => seen.push('end'),
  );
  queue.add(named('b'), 5010);
  queue.add(named('c'), 5020);
  queue.add(named('a'), 5005);
  queue.add(named('d'), 5010);
  clock.advance(4);
  expect(seen).toEqual([]);
  clock.advance(6);
  expect(seen.slice(0, 2)).toEqual(['a', 'end']);
  expect(seen.slice(2).toSorted()).toEqual(['b', 'd', 'end']);
  expect(seen.at(-1)).toBe('end');
});

test('whoever is handed out may be added again at once', () => {
  const clock = new FakeClock(5000);
  const a = named('a');
  let times = 0;
  const queue: DueQueue<Named> = new DueQueue(
    clock,
    (item) => {
      times += 1;
      queue.add(item, clock.elapsedMs() + 10);
    },
    () => undefined,
  );
  queue.add(a, 5000);
  clock.advance(100);
  expect(times).toBe(11);
  queue.clear();
  expect([queue.size, clock.pending, queue.dueOf(a)]).toEqual([0, 0, null]);
});

test('what is due at the same moment comes in the order in which it was added', () => {
  const clock = new FakeClock();
  const items = numbered(20);
  const came: Named[] = [];
  const queue = new DueQueue<Named>(
    clock,
    (item) => came.push(item),
    () => undefined,
  );
  const dueMs = clock.elapsedMs() + 10;
  for (const item of items) queue.add(item, dueMs);
  queue.remove(items[0] as Named);
  queue.remove(items[7] as Named);
  clock.advance(10);
  expect(came).toEqual(items.filter((_, i) => i !== 0 && i !== 7));
});
