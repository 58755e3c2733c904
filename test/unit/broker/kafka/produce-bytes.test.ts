// The bytes of a produce request: the very ones that kafkajs writes.
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProduceRequest } from '#src/broker/drivers/kafka/kafka-requests.js';
import { produceBytes } from '#src/broker/drivers/kafka/produce-bytes.js';

const require = createRequire(import.meta.url);
const requestOf = require('kafkajs/src/protocol/requests/produce/v7/request') as (parts: ProduceRequest) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const text = (maxLength: number) => fc.string({ unit: 'binary', maxLength });
const record = fc.record({
  key: fc.option(bytes(80)),
  value: fc.oneof(
    bytes(300),
    fc.nat(70_000).map((length) => Buffer.alloc(length, 'v')),
  ),
  headers: fc.dictionary(
    text(20).filter((name) => name !== '__proto__'),
    fc.oneof(text(200), bytes(200)),
  ),
  // kafkajs finds the first of them by their text, so that all need as many digits; farther apart than an hour.
  timestamp: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
});
const request = fc.record({
  acks: fc.constantFrom(-1, 0, 1),
  timeout: fc.nat(),
  compression: fc.constant(0),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 30 }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(),
          firstSequence: fc.nat(),
          messages: fc.array(record, { minLength: 1, maxLength: 12 }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    { maxLength: 3 },
  ),
});
const producer = fc.option(
  fc.record({ producerId: fc.bigInt(0n, 2n ** 63n - 1n).map(String), producerEpoch: fc.nat(32_767) }),
);

test('the same bytes as of kafkajs, whatever the messages', async () => {
  await fc.assert(
    fc.asyncProperty(request, producer, async (parts, identity) => {
      const whole: ProduceRequest = { ...parts, ...(identity ?? {}) };
      const expected = (await requestOf(whole).encode()).buffer;
      expect(produceBytes(whole).equals(expected)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a batch of many messages, in which the places need more than one byte', async () => {
  const messages = Array.from({ length: 1000 }, (_, i) => ({
    key: Buffer.from(`user-${i}`),
    value: Buffer.alloc(i, 'x'),
    headers: { 'bigpipe-message-id': `msg_${i}`, 'bigpipe-forward-x': 'Zürich' },
    timestamp: 1_790_000_000_000 + ((i * 7) % 1000),
  }));
  const whole: ProduceRequest = {
    acks: -1,
    timeout: 5000,
    compression: 0,
    producerId: '4711',
    producerEpoch: 3,
    topicData: [{ topic: 'orders', partitions: [{ partition: 5, firstSequence: 2_147_483_000, messages }] }],
  };
  expect(produceBytes(whole).equals((await requestOf(whole).encode()).buffer)).toBe(true);
});
