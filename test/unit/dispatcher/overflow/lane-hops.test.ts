// The table of lanes in the overflow counts as a plain map would, grows and empties, and says when it is full.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LaneHops } from '#src/dispatcher/overflow/lane-hops.js';

test('whatever comes and goes: the highest hop of each lane is known', () => {
  const step = fc.record({ lane: fc.nat(150), hop: fc.integer({ min: 1, max: 4 }), isIn: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
      const table = new LaneHops();
      const model = new Map<string, number[]>();
      for (const { lane, hop, isIn } of steps) {
        const name = `http://a.example k${lane}`;
        const hops = model.get(name) ?? [];
        model.set(name, hops);
        if (isIn) {
          hops.push(hop);
          expect(table.add(name, hop)).toBe(true);
        } else {
          if (hops.includes(hop)) hops.splice(hops.indexOf(hop), 1);
          table.remove(name, hop);
        }
      }
      for (const [name, hops] of model) expect(table.highest(name)).toBe(Math.max(0, ...hops));
    }),
    { numRuns: 60 },
  );
});

test('it is empty again after all have gone, and takes no more than it may', () => {
  const table = new LaneHops(1000);
  for (let lane = 0; lane < 1000; lane += 1) expect(table.add(`${lane}`, 1)).toBe(true);
  expect(table.add('one more', 1)).toBe(false);
  expect(table.highest('one more')).toBe(0);
  expect(table.add('7', 1)).toBe(true);
  table.remove('7', 1);
  for (let lane = 0; lane < 1000; lane += 1) {
    expect(table.highest(`${lane}`)).toBe(1);
    table.remove(`${lane}`, 1);
  }
  expect(table.size).toBe(0);
});
