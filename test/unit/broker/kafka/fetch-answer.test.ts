// The answer to a fetch: what kafkajs reads in it, of every version, and what it is when it is cut off or damaged.
import { createRequire } from 'node:module';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fetchAnswerOf } from '#src/broker/drivers/kafka/fetch-answer.js';
import { readFetched } from '#src/broker/drivers/kafka/fetched.js';
import type { FetchedBatch, FetchedPartition, ProduceRecord } from '#src/broker/drivers/kafka/kafka-requests.js';
import { produceBytes } from '#src/broker/drivers/kafka/produce-bytes.js';
import { readBatches } from '#src/broker/drivers/kafka/record-batches.js';

interface Bytes {
  readonly buffer: Buffer;
  writeInt8(value: number): Bytes;
  writeInt16(value: number): Bytes;
  writeInt32(value: number): Bytes;
  writeInt64(value: bigint): Bytes;
  writeString(value: string): Bytes;
  writeBytes(value: Buffer): Bytes;
  writeVarInt(value: number): Bytes;
  writeVarIntBytes(value: Buffer | null): Bytes;
  writeVarIntString(value: string): Bytes;
  writeBufferInternal(value: Buffer): Bytes;
}

/** What kafkajs makes of a record. */
interface Record {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: { readonly [name: string]: Buffer | null | readonly (Buffer | null)[] };
}

interface Answer {
  readonly clientSideThrottleTime?: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly highWatermark: string;
      readonly lastStableOffset: string;
      readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[];
      readonly messages: readonly Record[];
    }[];
  }[];
}

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Bytes;
const responseOf = (version: number) =>
  require(`kafkajs/src/protocol/requests/fetch/v${version}/response`) as { decode(raw: Buffer): Promise<Answer> };

const versions = [4, 5, 6, 7, 8, 9, 10, 11];

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const record = fc.record({
  key: fc.option(bytes(80)),
  value: bytes(300),
  headers: fc.dictionary(
    fc
      .oneof(fc.constantFrom('bigpipe-url', 'bigpipe-key', 'x'), fc.string({ unit: 'binary', maxLength: 90 }))
      .filter((name) => name !== '__proto__'),
    fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), bytes(200)),
  ),
  timestamp: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
});
const batch = fc.record({
  firstOffset: fc.bigInt(0n, 2n ** 60n),
  records: fc.array(record, { minLength: 1, maxLength: 12 }),
});
const partition = fc.record({
  number: fc.nat(),
  aborted: fc.array(fc.record({ producerId: fc.bigInt(0n, 2n ** 60n), firstOffset: fc.bigInt(0n, 2n ** 60n) }), {
    maxLength: 3,
  }),
  batches: fc.array(batch, { maxLength: 4 }),
  /** How much of the last batch is missing. */
  cut: fc.option(fc.integer({ min: 1, max: 60 })),
});
const topics = fc.array(
  fc.record({ name: fc.string({ minLength: 1, maxLength: 30 }), partitions: fc.array(partition, { maxLength: 4 }) }),
  { maxLength: 3 },
);

/** As a producer writes it, with the offset that Kafka gives it. */
function batchBytes(firstOffset: bigint, messages: readonly ProduceRecord[]): Buffer {
  const request = produceBytes({
    acks: -1,
    timeout: 0,
    compression: 0,
    topicData: [{ topic: '', partitions: [{ partition: 0, firstSequence: 0, messages }] }],
  });
  // Behind what is said of the request, its only topic and its only partition.
  const written = Buffer.from(request.subarray(12 + 2 + 4 + 8));
  written.writeBigInt64BE(firstOffset);
  return written;
}

/** With the checksum of what stands in it now. */
function sealed(written: Buffer): Buffer {
  written.writeUInt32BE(crc32c(written.subarray(21)), 17);
  return written;
}

type Topics = typeof topics extends fc.Arbitrary<infer T> ? T : never;

function answerBytes(parts: Topics, version: number): Buffer {
  const answer = new Encoder().writeInt32(17);
  if (version >= 7) answer.writeInt16(0).writeInt32(4711);
  answer.writeInt32(parts.length);
  for (const { name, partitions } of parts) {
    answer.writeString(name).writeInt32(partitions.length);
    for (const { number, aborted, batches, cut } of partitions) {
      answer.writeInt32(number).writeInt16(3).writeInt64(99n).writeInt64(98n);
      if (version >= 5) answer.writeInt64(1n);
      answer.writeInt32(aborted.length);
      for (const { producerId, firstOffset } of aborted) answer.writeInt64(producerId).writeInt64(firstOffset);
      if (version >= 11) answer.writeInt32(-1);
      const all = Buffer.concat(batches.map(({ firstOffset, records }) => batchBytes(firstOffset, records)));
      answer.writeBytes(all.subarray(0, Math.max(0, all.length - (cut ?? 0))));
    }
  }
  return answer.buffer;
}

const lastOf = (value: Buffer | null | readonly (Buffer | null)[] | undefined) =>
  Array.isArray(value) ? (value.at(-1) as Buffer | null) : ((value ?? null) as Buffer | null);

const asKafkajsSays = ({ offset, timestamp, key, value, headers }: Record) => ({
  offset: BigInt(offset),
  timestampMs: Number(timestamp),
  key,
  value,
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, value_]) => [name, lastOf(value_)?.toString('utf8') ?? '']),
  ),
  rawKey: lastOf(headers['bigpipe-key']),
});

test('the same as kafkajs reads, of every version, whatever the messages', async () => {
  await fc.assert(
    fc.asyncProperty(topics, fc.constantFrom(...versions), async (parts, version) => {
      const raw = answerBytes(parts, version);
      const expected = await responseOf(version).decode(raw);
      const read = await fetchAnswerOf(raw, version);
      expect(read.clientSideThrottleTime).toBe(expected.clientSideThrottleTime ?? 0);
      expect(
        read.responses.map(({ topicName, partitions }) => ({
          topicName,
          partitions: partitions.map(({ batches, fault, ...rest }) => ({
            ...(fault === null ? rest : { fault }),
            records: batches.flatMap((b) => b.records),
          })),
        })),
      ).toEqual(
        expected.responses.map(({ topicName, partitions }) => ({
          topicName,
          partitions: partitions.map((one) => ({
            partition: one.partition,
            errorCode: one.errorCode,
            highWatermark: BigInt(one.highWatermark),
            lastStableOffset: BigInt(one.lastStableOffset),
            aborted: one.abortedTransactions.map(({ producerId, firstOffset }) => ({
              producerId: BigInt(producerId),
              firstOffset: BigInt(firstOffset),
            })),
            records: one.messages.map(asKafkajsSays),
          })),
        })),
      );
    }),
    { numRuns: 200 },
  );
});

const message = (value: string, timestamp = 1_790_000_000_000): ProduceRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: { 'bigpipe-url': 'http://r/' },
  timestamp,
});

test('an answer of a Kafka before headers is refused', async () => {
  await expect(fetchAnswerOf(Buffer.alloc(8), 3)).rejects.toThrow('older than 0.11');
});

test('what is read keeps none of the answer in memory', async () => {
  const raw = Buffer.concat([Buffer.alloc(1_000_000), batchBytes(5n, [message('a')])]);
  const [read] = (await readBatches(raw.subarray(1_000_000))).batches;
  expect(read?.records[0]?.value?.toString()).toBe('a');
  expect(read?.records[0]?.value?.buffer).not.toBe(raw.buffer);
});

test('of what Kafka has stamped itself, its time', async () => {
  const written = batchBytes(5n, [message('a', 1_790_000_000_000), message('b', 1_790_000_000_007)]);
  written.writeInt16BE(0x08, 21);
  written.writeBigInt64BE(1_800_000_000_000n, 35);
  const [read] = (await readBatches(sealed(written))).batches;
  expect(read?.records.map(({ timestampMs }) => timestampMs)).toEqual([1_800_000_000_000, 1_800_000_000_000]);
});

test('headers that stand there twice, or without a value, and a record without one', async () => {
  const body = new Encoder()
    .writeInt8(0)
    .writeVarInt(0)
    .writeVarInt(0)
    .writeVarIntBytes(null)
    .writeVarIntBytes(null)
    .writeVarInt(3)
    .writeVarIntString('twice')
    .writeVarIntBytes(Buffer.from('one'))
    .writeVarIntString('twice')
    .writeVarIntBytes(Buffer.from('two'))
    .writeVarIntString('none')
    .writeVarIntBytes(null).buffer;
  const size = new Encoder().writeVarInt(body.length).buffer;
  const head = batchBytes(5n, [message('a')]).subarray(0, 61);
  const written = Buffer.concat([head, size, body]);
  written.writeInt32BE(written.length - 12, 8);
  const [read] = (await readBatches(sealed(written))).batches;
  expect(read?.records).toEqual([
    {
      offset: 5n,
      timestampMs: 1_790_000_000_000,
      key: null,
      value: null,
      headers: { twice: 'two', none: '' },
      rawKey: null,
    },
  ]);
});

test('what was written before Kafka 0.11 is read, and what follows it comes with the next fetch', async () => {
  const old = require('kafkajs/src/protocol/messageSet') as (parts: {
    readonly messageVersion: number;
    readonly entries: readonly object[];
  }) => Bytes;
  const entries = [
    { key: 'k', value: 'one', timestamp: 1_790_000_000_000 },
    { key: null, value: 'two', timestamp: 1_790_000_000_001 },
  ];
  const written = old({ messageVersion: 1, entries }).buffer;
  const { batches } = await readBatches(Buffer.concat([written, batchBytes(9n, [message('new')])]));
  const records = batches.flatMap(({ records: own }) => own);
  expect(records.map(({ key, value }) => [key?.toString() ?? null, value?.toString()])).toEqual([
    ['k', 'one'],
    [null, 'two'],
  ]);
  expect(records.map(({ timestampMs }) => timestampMs)).toEqual(entries.map(({ timestamp }) => timestamp));
});

test('whatever byte of a batch is another one, it is not read; those before it are', async () => {
  const before = batchBytes(2n, [message('z')]);
  const whole = batchBytes(5n, [message('a'), message('b')]);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 17, max: whole.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, bits) => {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] as number) ^ bits;
        const { batches, fault } = await readBatches(Buffer.concat([before, damaged, whole]));
        expect(batches.map(({ firstOffset }) => firstOffset)).toEqual([2n]);
        expect(fault?.message).toContain('its checksum is wrong');
      },
    ),
  );
});

test('nor is one whose records are not as long as they say, though its checksum is right', async () => {
  const whole = batchBytes(5n, [message('a'), message('b')]);
  const short = Buffer.from(whole);
  short.writeInt32BE(10, 8);
  const inner = Buffer.from(whole);
  // One byte less than the first record is.
  inner[61] = (inner[61] as number) - 2;
  const longer = Buffer.from(whole);
  longer.writeInt32BE(3, 57);
  for (const damaged of [short, sealed(inner), sealed(longer)]) {
    const { batches, fault } = await readBatches(damaged);
    expect(batches).toEqual([]);
    expect(fault?.message).toContain('a batch of Kafka cannot be read');
  }
});

test('where the first batch cannot be read nothing is passed over', () => {
  const fault = new Error('damaged');
  expect(() => readFetched({ ...fetchedOf([]), fault }, at, 4n)).toThrow(fault);
  const first = { firstOffset: 4n, endOffset: 9n };
  expect(readFetched({ ...fetchedOf([first]), fault }, at, 4n).nextOffset).toBe(9n);
});

const fetchedOf = (batches: readonly Partial<FetchedBatch>[], aborted: FetchedPartition['aborted'] = []) => ({
  partition: 0,
  errorCode: 0,
  highWatermark: 99n,
  lastStableOffset: 99n,
  aborted,
  batches: batches.map((own) => ({
    firstOffset: 0n,
    endOffset: 0n,
    producerId: -1n,
    isTransactional: false,
    isControl: false,
    records: [],
    ...own,
  })),
  fault: null,
});

const at = { topic: 'orders', partition: 0 };

test('a batch of which compaction has left nothing is passed over', () => {
  const fetched = fetchedOf([{ firstOffset: 4n, endOffset: 9n }]);
  expect(readFetched(fetched, at, 4n)).toEqual({ messages: [], nextOffset: 9n });
});

test('what a transaction wrote that was taken back is left out up to its end, and nobody else is', async () => {
  const written = async (firstOffset: bigint, text: string) =>
    (await readBatches(batchBytes(firstOffset, [message(text)]))).batches[0] as FetchedBatch;
  const part = async (firstOffset: bigint, text: string, producerId: bigint) => ({
    ...(await written(firstOffset, text)),
    producerId,
    isTransactional: true,
  });
  const end = async (firstOffset: bigint, producerId: bigint, type: number) => {
    const [record] = (await written(firstOffset, '')).records;
    const key = Buffer.from([0, 0, 0, type]);
    const records = [{ ...(record as FetchedBatch['records'][number]), key }];
    return { firstOffset, endOffset: firstOffset + 1n, producerId, isTransactional: true, isControl: true, records };
  };
  const fetched = fetchedOf(
    [
      await part(0n, 'before', 7n),
      await end(1n, 7n, 1),
      await part(2n, 'taken back', 7n),
      await part(3n, 'another', 8n),
      await part(4n, 'taken back as well', 7n),
      await end(5n, 7n, 0),
      await part(6n, 'after', 7n),
      await written(7n, 'in none'),
    ],
    [{ producerId: 7n, firstOffset: 2n }],
  );
  const { messages, nextOffset } = readFetched(fetched, at, 0n);
  expect(messages.map(({ body }) => body.toString())).toEqual(['before', 'another', 'after', 'in none']);
  expect(nextOffset).toBe(8n);
});

test('what stands before the place that was asked for is left out', async () => {
  const { batches } = await readBatches(batchBytes(4n, [message('a'), message('b'), message('c')]));
  const { messages, nextOffset } = readFetched(fetchedOf(batches), at, 5n);
  expect(messages.map(({ offset }) => offset)).toEqual([5n, 6n]);
  expect(nextOffset).toBe(7n);
});
