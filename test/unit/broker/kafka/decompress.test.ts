// What other writers compressed is read: Java's own snappy, lz4, gzip and zstd, and whatever damage there may be.
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unlz4, unsnappy } from '#src/broker/drivers/kafka/decompress.js';
import type { LocalCluster } from '../../../../kafka/local-cluster.ts';
import { canStartKafka, kafkaBroker, ownKafka } from '../../../support/kafka-cluster.js';
import { readTopic } from '../../../support/read-topic.js';

test('random bytes are an error or an output, never anything else', () => {
  const lz4 = Buffer.from([4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of [() => unsnappy(Buffer.from(bytes)), () => unlz4(Buffer.concat([lz4, bytes]))]) {
        try {
          expect(read()).toBeInstanceOf(Buffer);
        } catch (error) {
          expect((error as Error).message).toMatch(/^a compressed batch cannot be read: /);
        }
      }
    }),
    { numRuns: 2000 },
  );
});

describe.skipIf(!canStartKafka)('written by Java', () => {
  let kafka: LocalCluster;

  beforeAll(async () => {
    kafka = await ownKafka(1);
  }, 200_000);

  afterAll(async () => {
    await kafka?.remove();
  });

  test.each(['none', 'snappy', 'lz4', 'gzip', 'zstd'])('%s', async (compression) => {
    const broker = kafkaBroker(kafka.servers);
    await broker.open();
    const topic = randomUUID();
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    const payload = `{"n":"${'abc'.repeat(40)}${randomUUID()}","text":"${'x'.repeat(300)}"}`;
    const file = join(kafka.directory, 'payload');
    await writeFile(file, payload);
    const count = 500;
    const load = ['--topic', topic, '--num-records', `${count}`, '--throughput', '-1', '--payload-file', file];
    const how = [`bootstrap.servers=${kafka.servers}`, `compression.type=${compression}`, 'linger.ms=20'];
    await kafka.tool('org.apache.kafka.tools.ProducerPerformance', ...load, '--producer-props', ...how);
    const read = await readTopic(broker, topic);
    expect(read).toHaveLength(count);
    expect(new Set(read.map(({ body }) => body.toString()))).toEqual(new Set([payload]));
    await broker.close();
  });
});
