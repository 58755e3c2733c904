// murmur2 as Kafka's Java client computes it: the vectors of its own tests.
import { expect, test } from 'vitest';
import { murmur2, Partitioner } from '#src/message/partitioner.js';

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test('a key keeps its partition, keys spread over all of 3 partitions', () => {
  const partitioner = new Partitioner();
  const counts = [0, 0, 0];
  for (let i = 0; i < 3000; i += 1) {
    // The original's hash put all of these on one partition.
    const key = Buffer.from(`user-${i}-x`);
    const partition = partitioner.choose(key, 3);
    expect(partitioner.choose(key, 3)).toBe(partition);
    counts[partition] = (counts[partition] as number) + 1;
  }
  for (const count of counts) expect(count).toBeGreaterThan(800);
});
