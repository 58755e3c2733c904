// Serial inside a lane, independent between lanes, nothing kept of an empty one.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lanes } from '#src/dispatcher/window/lanes.js';

interface Item {
  readonly lane: string | null;
  readonly n: number;
}

test('one at a time in a lane, in the order they came; without a lane at once', () => {
  const lanes = new Lanes<Item>();
  const [a1, a2, b1, free] = [
    { lane: 'a', n: 1 },
    { lane: 'a', n: 2 },
    { lane: 'b', n: 3 },
    { lane: null, n: 4 },
  ] as const;
  expect([a1, a2, b1, free].map((item) => lanes.enter(item))).toEqual([true, false, true, true]);
  expect(lanes.leave(a1)).toBe(a2);
  expect(lanes.leave(free)).toBeNull();
  expect(lanes.leave(a2)).toBeNull();
  expect(lanes.leave(b1)).toBeNull();
  expect(lanes.size).toBe(0);
});

test('whatever the order of endings: each lane is serial and in order, and all lanes are gone at the end', () => {
  const names = fc.array(fc.constantFrom('a', 'b', 'c', null), { maxLength: 60 });
  fc.assert(
    fc.property(names, fc.infiniteStream(fc.nat()), (laneNames, picks) => {
      const lanes = new Lanes<Item>();
      const running: Item[] = [];
      const started = new Map<string | null, number[]>();
      const start = (item: Item) => {
        if (item.lane !== null) expect(running.some(({ lane }) => lane === item.lane)).toBe(false);
        running.push(item);
        started.set(item.lane, [...(started.get(item.lane) ?? []), item.n]);
      };
      laneNames.forEach((lane, n) => {
        const item = { lane, n };
        if (lanes.enter(item)) start(item);
      });
      while (running.length > 0) {
        const [ended] = running.splice(picks.next().value % running.length, 1);
        const next = lanes.leave(ended as Item);
        if (next !== null) start(next);
      }
      for (const order of started.values()) expect(order).toEqual(order.toSorted((a, b) => a - b));
      expect([...started.values()].flat().length).toBe(laneNames.length);
      expect(lanes.size).toBe(0);
    }),
  );
});

test('as lists of names say: how many wait, who is under way, and how many lanes there are', () => {
  const aStep = fc.tuple(fc.constantFrom('a', 'b', 'c', null), fc.boolean(), fc.nat());
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 100, size: 'max' }), (steps) => {
      const lanes = new Lanes<Item>();
      const model = new Map<string, Item[]>();
      steps.forEach(([lane, enters, pick], n) => {
        if (enters) {
          const item = { lane, n };
          const queue = lane === null ? [] : (model.get(lane) ?? []);
          if (lane !== null) model.set(lane, [...queue, item]);
          expect(lanes.enter(item)).toBe(queue.length === 0);
          expect(lanes.headOf(item)).toBe(lane === null ? undefined : (queue[0] ?? item));
        } else {
          const [name, queue] = [...model][pick % Math.max(1, model.size)] ?? [];
          if (name === undefined || queue === undefined) return;
          expect(lanes.leave(queue[0] as Item)).toBe(queue[1] ?? null);
          if (queue.length === 1) model.delete(name);
          else model.set(name, queue.slice(1));
        }
        expect(lanes.size).toBe(model.size);
        expect(lanes.waiting).toBe([...model.values()].reduce((sum, queue) => sum + queue.length - 1, 0));
      });
    }),
  );
});
