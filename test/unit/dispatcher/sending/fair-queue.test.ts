// Whose turn it is, against a plain list.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairQueue, Turn } from '#src/dispatcher/sending/fair-queue.js';

/** Their places are made once, as those of destinations are. */
function newQueue(names: readonly string[]): FairQueue<string> {
  const turns = new Map(names.map((name) => [name, new Turn(name)]));
  return new FairQueue((name) => turns.get(name) as Turn<string>);
}

test('always one with the fewest in flight; among equals whoever came to their number first', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const anItem = fc.constantFrom(...names);
  const aStep = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('put' as const), item: anItem, inFlight: fc.nat({ max: 5 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), item: anItem }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  );
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 100, size: 'max' }), (steps) => {
      const queue = newQueue(names);
      let model: { item: string; inFlight: number }[] = [];
      for (const step of steps) {
        if (step.kind === 'clear') {
          if (steps.length % 5 > 0) continue;
          queue.clear();
          model = [];
        } else {
          model = model.filter(({ item }) => item !== step.item);
          if (step.kind === 'remove') queue.remove(step.item);
          else {
            queue.put(step.item, step.inFlight);
            model.push({ item: step.item, inFlight: step.inFlight });
          }
          expect(queue.has(step.item)).toBe(step.kind === 'put');
        }
        const fewest = Math.min(...model.map(({ inFlight }) => inFlight));
        expect(queue.peek()).toBe(model.find(({ inFlight }) => inFlight === fewest)?.item);
        expect(queue.size).toBe(model.length);
      }
    }),
    { numRuns: 500 },
  );
});

test('equals come in turn when each is put back at its end', () => {
  const queue = newQueue(['a', 'b', 'c']);
  for (const item of ['a', 'b', 'c']) queue.put(item, 0);
  const turns = Array.from({ length: 9 }, () => {
    const item = queue.peek() as string;
    queue.put(item, 0);
    return item;
  });
  expect(turns.join('')).toBe('abcabcabc');
});
