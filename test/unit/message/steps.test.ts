// Much is gone through in steps; others have their turn between them, and what they take does not count.
import { expect, test } from 'vitest';
import { Steps } from '#src/message/steps.js';
import { BusyClock, turnsDuring } from '../../support/busy-clock.js';
import { FakeClock } from '../../support/fake-clock.js';

async function all<T>(steps: Steps, things: Iterable<T>): Promise<T[]> {
  const seen: T[] = [];
  for await (const thing of steps.through(things)) seen.push(thing);
  return seen;
}

const things = Array.from({ length: 1000 }, (_, i) => i);

test('what takes no time is one step, with no turn between', async () => {
  const { result, turns } = await turnsDuring(() => all(new Steps(new FakeClock()), things));
  expect(result).toEqual(things);
  expect(turns).toBeLessThanOrEqual(1);
});

test('what takes long leaves a turn to others after each few of its things', async () => {
  const { result, turns } = await turnsDuring(() => all(new Steps(new BusyClock()), things));
  expect(result).toEqual(things);
  expect(turns).toBeGreaterThan(50);
  expect(turns).toBeLessThan(500);
});

test('pieces that share their steps share the time of a step', async () => {
  const steps = new Steps(new BusyClock());
  const pieces = async () => {
    for (let i = 0; i < 100; i += 1) await all(steps, [i]);
  };
  const { turns } = await turnsDuring(pieces);
  expect(turns).toBeGreaterThan(5);
});

test('what others do between two steps is not its own time', async () => {
  const clock = new FakeClock();
  const steps = new Steps(clock);
  const taken = steps.through(['first', 'second', 'third']);
  await taken.next();
  clock.advance(10);
  const second = taken.next();
  setImmediate(() => clock.advance(1000));
  await second;
  expect(steps.spentMs).toBe(10);
  clock.advance(5);
  expect(steps.spentMs).toBe(15);
  await taken.return();
});
