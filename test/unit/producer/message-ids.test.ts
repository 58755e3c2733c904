// Numbers for messages: each given once, over nodes and over a state that comes and goes; never something in between.
import { beforeEach, expect, test } from 'vitest';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { MessageIds } from '#src/producer/message-ids.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import type { SharedStateHealth } from '#src/shared-state/shared-state.js';
import { Stats } from '#src/stats/stats.js';
import { FakeClock } from '../../support/fake-clock.js';

class LosableState extends MemorySharedState {
  isLost = false;
  asked = 0;

  override reserve(...how: Parameters<MemorySharedState['reserve']>) {
    this.asked += 1;
    return this.isLost ? Promise.reject(new Error('lost')) : super.reserve(...how);
  }

  override health(): SharedStateHealth {
    return { ...super.health(), ok: !this.isLost };
  }
}

let state: LosableState;
const nowMs = 1_700_000_000_000;

beforeEach(() => {
  state = new LosableState({ clock: new FakeClock(), maxBytes: 1000 });
});

const node = (messageIds: 'ulid' | 'counter' = 'counter') =>
  new MessageIds({ settings: { messageIds } } as unknown as ConfigWatch, state, new Stats());
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => String(from + i));

test('one node counts from 1 on, without a gap, and asks far less often', async () => {
  const ids = node();
  const given: string[] = [];
  for (let i = 0; i < 1000; i += 1) given.push(await ids.next(nowMs));
  expect(given).toEqual(numbers(1, 1000));
  expect(state.asked).toBeLessThan(13);
  expect(typeof ids.next(nowMs)).toBe('string');
});

test('many at once all get one, in their order', async () => {
  const ids = node();
  expect(await Promise.all(Array.from({ length: 5000 }, async () => ids.next(nowMs)))).toEqual(numbers(1, 5000));
});

test('several nodes give no number twice', async () => {
  const nodes = [node(), node(), node()];
  const given = await Promise.all(Array.from({ length: 3000 }, async (_, i) => nodes[i % 3]?.next(nowMs)));
  expect(new Set(given).size).toBe(3000);
  for (const id of given) expect(id).toMatch(/^\d+$/);
});

test('while nothing is shared an id is plainly none of them; then it counts on', async () => {
  const ids = node();
  state.isLost = true;
  expect(await ids.next(nowMs)).toMatch(/^msg_/);
  state.isLost = false;
  expect(await ids.next(nowMs)).toBe('1');
  state.isLost = true;
  // What is in hand is used up first.
  const given: string[] = [];
  for (let i = 0; i < 150; i += 1) given.push(await ids.next(nowMs));
  expect(given.slice(0, 99)).toEqual(numbers(2, 99));
  for (const id of given.slice(99)) expect(id).toMatch(/^msg_/);
});

test('a counter that was lost gives no number again that this node knows of', async () => {
  const ids = node();
  for (let i = 0; i < 250; i += 1) await ids.next(nowMs);
  await state.close();
  state = new LosableState({ clock: new FakeClock(), maxBytes: 1000 });
  Object.assign(ids, { state });
  const given = await Promise.all(Array.from({ length: 300 }, async () => ids.next(nowMs)));
  expect(given).toEqual(numbers(251, 300));
});

test('unless they are wanted nobody is asked', () => {
  const ids = node('ulid');
  ids.onModuleInit();
  expect(ids.next(nowMs)).toMatch(/^msg_/);
  expect(state.asked).toBe(0);
});
