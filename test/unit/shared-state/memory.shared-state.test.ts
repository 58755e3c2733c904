// What the shared state of a single process does with the memory it may use.
import { expect, test } from 'vitest';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import { FakeClock } from '../../support/fake-clock.js';

test('memory is bounded: what was set first goes, what is over makes room', async () => {
  const clock = new FakeClock();
  const state = new MemorySharedState({ clock, maxBytes: 10_000 });
  for (let i = 0; i < 100; i += 1) await state.set(`k${i}`, Buffer.alloc(800), 60_000);
  const kept: number[] = [];
  for (let i = 0; i < 100; i += 1) if ((await state.get(`k${i}`)) !== null) kept.push(i);
  expect(kept).toEqual([91, 92, 93, 94, 95, 96, 97, 98, 99]);
  await state.set('short', Buffer.alloc(2000), 10);
  clock.advance(1100);
  await state.set('k100', Buffer.alloc(800), 60_000);
  await state.set('k101', Buffer.alloc(800), 60_000);
  expect((await state.get('k94'))?.length).toBe(800);
  await state.close();
});
