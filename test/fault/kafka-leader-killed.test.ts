// A leader dies while one write spans three nodes: a bare kafkajs loses a part of it without an error, the driver does not.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaNode, LocalCluster } from '../../kafka/local-cluster.ts';
import { canStartKafka, kafkaBroker, ownKafka } from '../support/kafka-cluster.js';
import { readTopic } from '../support/read-topic.js';
import { until } from '../support/until.js';

const partitions = 6;
const messages = 60;
const maxRounds = 4;

describe.skipIf(!canStartKafka)('a leader that dies while a write spans three nodes', () => {
  let kafka: LocalCluster;

  beforeAll(async () => {
    kafka = await ownKafka(3);
  }, 300_000);

  afterAll(async () => {
    await kafka?.remove();
  });

  /** The one who leads a partition; its last message is the one in question. */
  const leaderOf = async (topic: string): Promise<KafkaNode> => {
    const admin = new kafkajs.Kafka({ brokers: kafka.servers.split(','), logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    await admin.disconnect();
    const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader;
    return kafka.nodes.find(({ id }) => id === leader) as KafkaNode;
  };

  /** A node that answers is not yet one that gets partitions. */
  const allAreThere = async () => {
    const admin = new kafkajs.Kafka({ brokers: kafka.servers.split(','), logLevel: kafkajs.logLevel.NOTHING }).admin();
    await admin.connect();
    await until('all nodes are there', async () => (await admin.describeCluster()).brokers.length === 3, 120_000);
    await admin.disconnect();
  };

  /** Freezes a leader, writes to all, kills the frozen one once the other two have their part (or will not get it). */
  const ordeal = async (store: (topic: string, bodies: readonly string[]) => Promise<unknown>) => {
    const topic = `killed-${randomUUID()}`;
    await allAreThere();
    const judge = kafkaBroker(kafka.servers);
    await judge.open();
    await judge.ensureTopic({ name: topic, partitions, retention: 'standard' });
    const warmUp = Array.from({ length: partitions }, (_, i) => `warm-${i}`);
    await store(topic, warmUp);
    const bodies = Array.from({ length: messages }, (_, i) => `${i}`);
    const victim = await leaderOf(topic);
    await victim.freeze();
    const written = store(topic, bodies);
    written.catch(() => undefined);
    await until(
      'the others have their part',
      () => {
        const ends = judge.lag('none', topic).filter(({ highWatermark }) => highWatermark > 1n);
        return ends.length >= partitions - 2;
      },
      40_000,
    ).catch(() => console.log('the other two did not get their part'));
    await victim.kill();
    await written;
    const stored = (await readTopic(judge, topic)).map(({ body }) => body.toString());
    await judge.close();
    await victim.start();
    await victim.answering();
    const there = new Set(stored);
    return { lost: bodies.filter((body) => !there.has(body)).length, copies: stored.length - there.size };
  };

  test('a bare kafkajs resolves and a part of it is nowhere', async () => {
    const client = new kafkajs.Kafka({
      brokers: kafka.servers.split(','),
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 60, initialRetryTime: 200, maxRetryTime: 1000 },
    });
    const producer = client.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    let lost = 0;
    // Now and then its connection breaks so that it sends all again.
    for (let round = 0; round < maxRounds && lost === 0; round += 1) {
      const result = await ordeal((topic, bodies) =>
        producer.send({
          topic,
          acks: -1,
          messages: bodies.map((value, i) => ({ key: null, value, partition: i % partitions })),
        }),
      );
      ({ lost } = result);
    }
    await producer.disconnect();
    expect(lost).toBeGreaterThan(0);
  }, 400_000);

  test('the driver resolves when everything is stored, once', async () => {
    const broker = kafkaBroker(kafka.servers, {
      producer: { retries: 2, timeoutMs: 90_000, lingerMs: 1, compression: 'none', maxWaitingBytes: 1e8 },
    });
    await broker.open();
    const result = await ordeal(async (topic, bodies) => {
      await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
      const list = bodies.map((body, i) => ({
        topic,
        partition: i % partitions,
        key: null,
        body: Buffer.from(body),
        headers: {},
      }));
      await broker.append(list, -1);
    });
    await broker.close();
    expect(result).toEqual({ lost: 0, copies: 0 });
  }, 200_000);

  test('a frozen node keeps nobody from a topic that is there', async () => {
    await allAreThere();
    const name = `known-${randomUUID()}`;
    const spec = { name, partitions, retention: 'standard' } as const;
    // Each asks a node of its own choice: so many that some ask the frozen one.
    const brokers = Array.from({ length: 6 }, () => kafkaBroker(kafka.servers));
    for (const broker of brokers) {
      await broker.open();
      await broker.ensureTopic(spec);
    }
    const frozen = await leaderOf(name);
    await frozen.freeze();
    try {
      await Promise.all(brokers.map((broker) => broker.ensureTopic(spec)));
    } finally {
      await frozen.thaw();
      await frozen.answering();
    }
    await Promise.all(brokers.map((broker) => broker.close()));
  }, 200_000);
});
