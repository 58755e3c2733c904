// What the Kafka driver does beyond the port's promises, on a real Kafka.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import type { KafkaBrokerSettings } from '#src/config-watch/settings.js';
import { GroupLog } from '../../../support/group-log.js';
import { hasKafka, kafkaBroker, sharedKafka } from '../../../support/kafka-cluster.js';
import { readTopic } from '../../../support/read-topic.js';
import { until } from '../../../support/until.js';

describe.skipIf(!hasKafka)('the Kafka driver', () => {
  let servers = '';
  let client: kafkajs.Kafka;
  let admin: kafkajs.Admin;
  let topic = '';
  const opened: KafkaBroker[] = [];

  beforeAll(async () => {
    servers = await sharedKafka();
    client = new kafkajs.Kafka({ brokers: servers.split(','), logLevel: kafkajs.logLevel.NOTHING });
    admin = client.admin();
    await admin.connect();
  }, 300_000);

  afterAll(async () => {
    await Promise.all(opened.map((broker) => broker.close()));
    await admin?.disconnect();
  });

  beforeEach(() => {
    topic = `t-${randomUUID()}`;
  });

  const open = async (
    overrides: Partial<KafkaBrokerSettings> = {},
    report?: (text: string, error: unknown) => void,
  ): Promise<KafkaBroker> => {
    const broker = kafkaBroker(servers, overrides, report);
    opened.push(broker);
    await broker.open();
    return broker;
  };

  const message = (body: string | Buffer, partition = 0) => ({
    topic,
    partition,
    key: null,
    body: Buffer.from(body),
    headers: { 'bigpipe-url': 'http://r/' },
  });

  test('processes that start together make the same topics', async () => {
    const brokers = await Promise.all(Array.from({ length: 4 }, () => open()));
    for (let round = 0; round < 10; round += 1) {
      const spec = { name: `${topic}-${round}`, partitions: 2, retention: 'keep' as const };
      await Promise.all(brokers.map((broker) => broker.ensureTopic(spec)));
      expect(brokers.map((broker) => broker.lag('', spec.name).length)).toEqual([2, 2, 2, 2]);
    }
  });

  /** What retention does, at once. */
  const cleanUpTo = async (offset: string) => {
    // The client must know the topic first.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset }] });
  };

  test('nobody there: says where it looked', async () => {
    const broker = kafkaBroker('127.0.0.1:1');
    await expect(broker.open()).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringContaining('kafka.bootstrap.servers (127.0.0.1:1)'),
    });
    await broker.close();
  });

  test('one that is too large is found among the others and refused alone', async () => {
    const broker = await open();
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    const bodies = ['a', 'b', Buffer.alloc(2_000_000), 'c', 'd'];
    const results = await Promise.allSettled(bodies.map((body, i) => broker.append([message(body, i % 2)], -1)));
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(results[2]).toMatchObject({ reason: { code: 'message-too-large', retriable: false } });
    const stored = await readTopic(broker, topic);
    expect(stored.map(({ body }) => body.toString()).toSorted()).toEqual(['a', 'b', 'c', 'd']);
    await expect(broker.append([message('e', 0)], -1)).resolves.toMatchObject([{ partition: 0, offset: 2n }]);
  });

  test.each(['gzip', 'zstd'] as const)('compressed with %s it is the same', async (compression) => {
    const broker = await open({
      producer: { retries: 2, timeoutMs: 10_000, lingerMs: 1, compression, maxWaitingBytes: 67_108_864 },
    });
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    const bodies = Array.from({ length: 50 }, (_, i) => `${i}-${'x'.repeat(1000)}`);
    await broker.append(
      bodies.map((body) => message(body)),
      -1,
    );
    expect((await readTopic(broker, topic)).map(({ body }) => body.toString())).toEqual(bodies);
  });

  test('partitions that are taken over together are read together: none waits for what may never come to another', async () => {
    // So long a node holds an answer back while there is nothing in what it was asked for.
    const maxWaitMs = 30_000;
    const broker = await open({
      consumer: { sessionTimeoutMs: 10_000, heartbeatMs: 100, maxWaitMs, maxBufferBytes: 67_108_864 },
    });
    await broker.ensureTopic({ name: topic, partitions: 4, retention: 'standard' });
    await broker.append([message('in the last one', 3)], -1);
    const log = new GroupLog();
    const member = await broker.join('G', [topic], log);
    await until('the message of the last one is there', () => log.received.length === 1, maxWaitMs / 2);
    expect(log.bodies(3)).toEqual(['in the last one']);
    const left = member.leave();
    // Ends the read that is under way.
    await broker.append([message('more', 0)], -1);
    await left;
  });

  test('what had no room is read on at once: it does not wait for what may never come to another partition', async () => {
    const maxWaitMs = 30_000;
    const broker = await open({
      consumer: { sessionTimeoutMs: 10_000, heartbeatMs: 100, maxWaitMs, maxBufferBytes: 67_108_864 },
    });
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    // Some fetches' worth in one, nothing in the other.
    const count = 40;
    for (let i = 0; i < count; i += 1) await broker.append([message(Buffer.alloc(100_000), 0)], -1);
    const log = new GroupLog();
    const member = await broker.join('G', [topic], log);
    await until('all of them are there', () => log.received.length === count, maxWaitMs / 2);
    const left = member.leave();
    // Ends the read that is under way.
    await broker.append([message('more', 1)], -1);
    await left;
  });

  test("topics of bigpipe's own keep everything, all take a body of the largest size", async () => {
    const broker = await open();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    await broker.ensureTopic({ name: `${topic}.G.overflow`, partitions: 1, retention: 'side' });
    await broker.ensureTopic({ name: `${topic}.G.dlq`, partitions: 1, retention: 'keep' });
    const settingsOf = async (name: string) => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: ['retention.ms', 'max.message.bytes'] },
        ],
      });
      return Object.fromEntries(
        resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? [],
      );
    };
    expect(await settingsOf(topic)).toEqual({ 'retention.ms': '86400000', 'max.message.bytes': '1114112' });
    for (const name of [`${topic}.G.overflow`, `${topic}.G.dlq`]) {
      expect(await settingsOf(name)).toEqual({ 'retention.ms': '-1', 'max.message.bytes': '1114112' });
    }
  });

  test('a topic with another number of partitions is told, and the configured number spreads the keys', async () => {
    await admin.createTopics({ topics: [{ topic, numPartitions: 5 }], waitForLeaders: true });
    const told: string[] = [];
    const broker = await open({}, (text) => told.push(text));
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    const aboutPartitions = told.filter((text) => text.includes(' partitions '));
    expect(aboutPartitions).toEqual([
      expect.stringContaining(`topic ${topic} has 5 partitions at Kafka, the settings say 2`),
    ]);
    const positions = await broker.append(
      Array.from({ length: 20 }, (_, i) => ({ topic, key: Buffer.from(`${i}`), body: Buffer.from(''), headers: {} })),
      -1,
    );
    expect(new Set(positions.map((position) => position?.partition))).toEqual(new Set([0, 1]));
    expect(broker.lag('G', topic)).toHaveLength(5);
  });

  test('a topic that takes less than a call may have is told', async () => {
    const entries = [{ name: 'max.message.bytes', value: '100000' }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: entries }] });
    const told: string[] = [];
    const broker = await open({}, (text) => told.push(text));
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    expect(told).toEqual([expect.stringMatching(/^topic \S+ takes messages of 100000 bytes at most, .* 1114112/)]);
  });

  test('a group that has not settled what is older than half of the retention is named, once', async () => {
    const entries = [{ name: 'retention.ms', value: '4000' }];
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries: entries }] });
    const told: string[] = [];
    const broker = await open({}, (text) => told.push(text));
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    const named = (group: string) => told.filter((text) => text.startsWith(`${group} has not settled `));
    await broker.append([{ topic, key: null, body: Buffer.from('x'), headers: {} }], -1);
    for (const group of ['G', 'H']) {
      await broker.join(group, [topic], new GroupLog());
      await until('it is named', () => named(group).length > 0, 30_000);
    }
    expect(named('G')).toEqual([expect.stringContaining(`${topic}/0 that are older than half of what Kafka keeps`)]);
  });

  test('what transactions leave between messages is passed over; what they took back is not delivered', async () => {
    const broker = await open();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    const producer = client.producer({ transactionalId: randomUUID(), idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    const send = async (value: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      await transaction[end]();
    };
    await send('kept', 'commit');
    await send('taken back', 'abort');
    await producer.disconnect();
    await broker.append([message('last')], -1);
    const log = new GroupLog();
    const membership = await broker.join('G', [topic], log);
    await until('the last one arrives', () => log.bodies().includes('last'));
    expect(log.bodies()).toEqual(['kept', 'last']);
    // Two messages, two markers, one message.
    expect(log.batches.at(-1)?.nextOffset).toBe(5n);
    await membership.leave();
  });

  test('a group whose place was cleaned away goes on at the oldest message', async () => {
    const broker = await open();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    await broker.append(
      ['a', 'b', 'c', 'd'].map((body) => message(body)),
      -1,
    );
    const first = await broker.join('G', [topic], new GroupLog());
    await first.commit({ topic, partition: 0 }, { offset: 1n, metadata: '2::1' });
    await first.leave();
    await cleanUpTo('3');
    const log = new GroupLog();
    const second = await broker.join('G', [topic], log);
    await until('the rest arrives', () => log.received.length === 1);
    expect(log.assignments[0]?.start).toEqual({ offset: 3n, metadata: '' });
    expect(log.bodies()).toEqual(['d']);
    expect(broker.counters.retentionLost).toBe(2);
    await second.leave();
  });

  test('a reader whose next message is cleaned away meanwhile goes on at the oldest one', async () => {
    const told: string[] = [];
    const broker = await open({}, (text) => told.push(text));
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    const log = new GroupLog();
    const membership = await broker.join('G', [topic], log);
    membership.pause({ topic, partition: 0 });
    await broker.append(
      ['a', 'b', 'c'].map((body) => message(body)),
      -1,
    );
    // A fetch that was under way may have brought them; then there is nothing to find out.
    await cleanUpTo('2');
    membership.resume({ topic, partition: 0 });
    await until('the last one arrives', () => log.bodies().includes('c'));
    expect([['c'], ['a', 'b', 'c']]).toContainEqual(log.bodies());
    await membership.leave();
  });

  test('in the other form it is read as it was written, by its own hash; side topics stay in ours', async () => {
    const broker = await open({ format: 'bigpipe-go' });
    await broker.ensureTopic({ name: topic, partitions: 7, retention: 'standard' });
    await broker.ensureTopic({ name: `${topic}.side`, partitions: 7, retention: 'side' });
    const call = {
      key: Buffer.from('暂时用不到'),
      body: Buffer.from('b'),
      headers: { 'bigpipe-url': 'http://r/', x: 'y' },
    };
    const [position] = await broker.append([{ topic, ...call }], -1);
    expect(position?.partition).toBe(0);
    expect(await readTopic(broker, topic)).toMatchObject([call]);
    const [aside] = await broker.append([{ topic: `${topic}.side`, partition: 3, ...call }], -1);
    expect(aside?.partition).toBe(3);
    const raw: string[] = [];
    const consumer = client.consumer({ groupId: randomUUID() });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic, `${topic}.side`], fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message: { value } }) => void raw.push(String(value)) });
    await until('both are read', () => raw.length === 2);
    await consumer.disconnect();
    expect(raw.toSorted()).toEqual(['b', expect.stringMatching(/^\{"Headers":\{\},"Url":"http:\/\/r\/","Data":"b",/)]);
  });
});
