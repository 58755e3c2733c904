// One partition's reader: in order, one batch at a time, never past a pause, and a batch that failed comes again.
import { expect, test } from 'vitest';
import type { MessageBatch } from '#src/broker/broker.js';
import { PartitionReader } from '#src/broker/drivers/kafka/partition-reader.js';
import type { StoredMessage } from '#src/message/message.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { until } from '../../../support/until.js';

const partition = { topic: 't', partition: 0 };

const stored = (offset: bigint, size = 0): StoredMessage => ({
  ...partition,
  offset,
  key: null,
  body: Buffer.alloc(size),
  headers: {},
  timestampMs: 0,
});

function lab() {
  const clock = new FakeClock();
  const batches: MessageBatch[] = [];
  const state = { fails: false, hungry: 0, hold: null as Promise<void> | null };
  const reader = new PartitionReader(
    partition,
    0n,
    {
      deliver: async (batch) => {
        batches.push(batch);
        if (state.hold !== null) await state.hold;
        if (state.fails) throw new Error('no');
      },
      failed: () => undefined,
      hungry: () => {
        state.hungry += 1;
      },
    },
    clock,
  );
  const offsets = () => batches.map(({ messages, nextOffset }) => [messages.map(({ offset }) => offset), nextOffset]);
  return { clock, batches, state, reader, offsets };
}

test('gaps are covered by the next offset; nothing but a gap is told too', async () => {
  const { reader, offsets } = lab();
  reader.take([stored(0n), stored(3n)], 6n);
  expect(offsets()).toEqual([]);
  reader.start();
  reader.resume();
  reader.take([], 9n);
  await until('both are handed over', () => offsets().length > 0 && reader.nextOffset === 9n);
  await until('all is handed over', () => offsets().at(-1)?.[1] === 9n);
  expect(offsets().flatMap(([numbers]) => numbers)).toEqual([0n, 3n]);
});

test('what is fetched twice, or behind a gap that was passed already, is taken once', async () => {
  const { reader, batches } = lab();
  reader.start();
  reader.take([stored(0n), stored(1n)], 2n);
  reader.take([stored(0n), stored(1n)], 2n);
  await until('they are handed over', () => batches.length === 1);
  await reader.stop();
  expect(batches.flatMap(({ messages }) => messages)).toHaveLength(2);
});

test('a batch whose handler fails comes again after a while, and nothing overtakes it', async () => {
  const { clock, reader, state, offsets } = lab();
  state.fails = true;
  reader.start();
  reader.take([stored(0n)], 1n);
  await until('it failed', () => offsets().length === 1);
  state.fails = false;
  reader.take([stored(1n)], 2n);
  clock.advance(1000);
  await until('all come', () => offsets().at(-1)?.[1] === 2n);
  expect(offsets()).toEqual([
    [[0n], 1n],
    [[0n, 1n], 2n],
  ]);
});

test('a pause takes effect behind the batch under way; a full buffer asks for nothing', async () => {
  const { reader, state, batches } = lab();
  let release: () => void = () => undefined;
  state.hold = new Promise((resolve) => {
    release = resolve;
  });
  reader.start();
  reader.take(
    Array.from({ length: 600 }, (_, i) => stored(BigInt(i), 1000)),
    600n,
  );
  await until('the first is under way', () => batches.length === 1);
  expect(reader.isHungry).toBe(false);
  reader.pause();
  release();
  state.hold = null;
  await reader.stop();
  expect(batches).toHaveLength(1);
  expect(batches[0]?.messages).toHaveLength(256);
});

test('after a stop nothing is handed over or taken', async () => {
  const { reader, batches } = lab();
  reader.start();
  await reader.stop();
  reader.take([stored(0n)], 1n);
  reader.resume();
  expect([batches.length, reader.bytes, reader.nextOffset]).toEqual([0, 0, 0n]);
});
