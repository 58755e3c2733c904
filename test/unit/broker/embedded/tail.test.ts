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
/** One reader, who has come as far as `place`. */
const readBy = (place: () => bigint, maxBytes = 1_000_000) => ({
  maxBytes: () => maxBytes,
  readerCount: () => 1,
  lowestPlace: (offset: bigint) => (place() >= offset ? place() : null),
});
const stillAt = (offset: number) => () => BigInt(offset);
const offsets = (messages: readonly StoredMessage[] | null) => messages?.map(({ offset }) => Number(offset));

test('reads from any offset it holds, within the bounds asked', () => {
  const tail = new Tail(readBy(stillAt(0)));
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
  let last = 0;
  const tail = new Tail(readBy(() => BigInt(last - 20), bound));
  for (; last < 5000; last += 1) tail.push([stored(last)]);
  expect(tail.read(4989n, 1, 1)).toBeNull();
  expect(offsets(tail.read(4990n, 100, 100_000))?.length).toBe(10);
});

test('what has left is not held in memory', () => {
  const tail = new Tail(readBy(stillAt(0), 10 * weightOf(stored(0))));
  for (let offset = 0; offset < 900; offset += 1) tail.push([stored(offset)]);
  const { messages } = tail as unknown as { messages: (StoredMessage | undefined)[] };
  expect(messages.filter((message) => message !== undefined).length).toBe(10);
});

test('a message over the bound is not kept, and what follows is', () => {
  const tail = new Tail(readBy(stillAt(0), 1000));
  tail.push([stored(0, 5000)]);
  expect(tail.read(0n, 1, 1)).toBeNull();
  tail.push([stored(1)]);
  expect(offsets(tail.read(1n, 1, 1))).toEqual([1]);
});

test('where nobody keeps up nothing is kept, and once somebody does it is', () => {
  let place = 0;
  const tail = new Tail(readBy(() => BigInt(place), 20 * weightOf(stored(0))));
  for (let offset = 0; offset < 3000; offset += 1) tail.push([stored(offset)]);
  const { messages } = tail as unknown as { messages: unknown[] };
  expect(messages).toEqual([]);
  place = 2990;
  for (let offset = 3000; offset < 3100; offset += 1) tail.push([stored(offset)]);
  expect(offsets(tail.read(3090n, 100, 100_000))?.at(-1)).toBe(3099);
});

test('what all who keep up have been handed is let go', () => {
  let place = 0;
  const tail = new Tail(readBy(() => BigInt(place)));
  for (let offset = 0; offset < 1000; offset += 1) {
    tail.push([stored(offset)]);
    place = offset;
  }
  expect(tail.read(900n, 1, 1)).toBeNull();
  expect(offsets(tail.read(999n, 10, 1000))).toEqual([999]);
});

test('large ones are let go as soon as they have been handed', () => {
  let place = 0;
  const tail = new Tail(readBy(() => BigInt(place), 10_000_000));
  for (let offset = 0; offset < 100; offset += 1) {
    tail.push([stored(offset, 20_000)]);
    place = offset;
  }
  const { messages } = tail as unknown as { messages: (StoredMessage | undefined)[] };
  expect(messages.filter((message) => message !== undefined).length).toBeLessThan(4);
});
