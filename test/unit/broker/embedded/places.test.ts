// What a write says of its chunks, in numbers, as the writer thread reads it.
import { expect, test } from 'vitest';
import { packPlaces, unpackPlaces } from '#src/broker/drivers/embedded/sqlite.protocol.js';

test('each chunk is read as it was told, also at the last offset that a number holds', () => {
  const chunks = [
    { topicId: 1, partition: 0, base: 0, count: 1, timestampMs: 0, start: 0, length: 16 },
    {
      topicId: 2 ** 31,
      partition: 1023,
      base: Number.MAX_SAFE_INTEGER,
      count: 7,
      timestampMs: 8.64e15,
      start: 16,
      length: 2 ** 33,
    },
  ];
  expect(unpackPlaces(packPlaces(chunks))).toEqual(chunks);
  expect(unpackPlaces(packPlaces([]))).toEqual([]);
});
