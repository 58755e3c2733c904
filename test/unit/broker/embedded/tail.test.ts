// The newest messages in memory: a window on the log, bounded by weight.
import { expect, test } from 'vitest';
import { Tail } from '#src/broker/drivers/embedded/tail.js';
import { type StoredMessage, weightOf } from '#src/message/message.js';

const stored = (offset: number, size = 100): StoredMessage => ({
  topic: 't',
  partition: 0,
  offset: BigInt(offset),
  timestampMs: 0,
  key: null,
  body: Buffer.alloc(size),
  headers: {},
});
const offsets = (messages: readonly StoredMessage[] | null) => messages?.map(({ offset }) => Number(offset));

test('reads from any offset it holds, within the bounds asked', () => {
  const tail = new Tail(() => 1_000_000);
  tail.push([5, 6, 7, 8].map((offset) => stored(offset)));
  expect(offsets(tail.read(6n, 10, 1000))).toEqual([6, 7, 8]);
  expect(offsets(tail.read(5n, 2, 1000))).toEqual([5, 6]);
  expect(offsets(tail.read(5n, 10, 150))).toEqual([5, 6]);
  expect(offsets(tail.read(5n, 10, 0))).toEqual([5]);
  expect(tail.read(4n, 10, 1000)).toBeNull();
  expect(tail.read(9n, 10, 1000)).toBeNull();
});

test('holds no more than its bound: the oldest leave', () => {
  const bound = 10 * weightOf(stored(0));
  const tail = new Tail(() => bound);
  for (let offset = 0; offset < 5000; offset += 1) tail.push([stored(offset)]);
  expect(tail.read(4989n, 1, 1)).toBeNull();
  expect(offsets(tail.read(4990n, 100, 100_000))?.length).toBe(10);
});

test('what has left is not held in memory', () => {
  const tail = new Tail(() => 10 * weightOf(stored(0)));
  for (let offset = 0; offset < 900; offset += 1) tail.push([stored(offset)]);
  const { messages } = tail as unknown as { messages: (StoredMessage | undefined)[] };
  expect(messages.filter((message) => message !== undefined).length).toBe(10);
});

test('a message over the bound is not kept, and what follows is', () => {
  const tail = new Tail(() => 1000);
  tail.push([stored(0, 5000)]);
  expect(tail.read(0n, 1, 1)).toBeNull();
  tail.push([stored(1)]);
  expect(offsets(tail.read(1n, 1, 1))).toEqual([1]);
});
