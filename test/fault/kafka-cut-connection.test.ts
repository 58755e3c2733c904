// Connections break between Kafka's append and its answer: a bare kafkajs loses what it was told is stored, the driver does not.
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { canStartKafka, kafkaBroker, ownKafka } from '../support/kafka-cluster.js';
import { readTopic } from '../support/read-topic.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const callers = 32;
const partitions = 3;
/** A bare client loses one message at each of them. */
const cuts = 8;
const answersBetweenCuts = 100;
const maxRounds = 5;

describe.skipIf(!canStartKafka)('connections that break between append and answer', () => {
  let kafka: LocalCluster;
  let proxy: TcpProxy;
  let proxied = '';

  beforeAll(async () => {
    kafka = await ownKafka(1);
    const [node] = kafka.nodes;
    if (node === undefined) throw new Error('there is no node');
    proxy = await TcpProxy.start(node.behind.announcedPort, node.behind.port);
    proxied = `127.0.0.1:${node.behind.announcedPort}`;
  }, 200_000);

  afterAll(async () => {
    await proxy?.close();
    await kafka?.remove();
  });

  /** Callers that store one message after another, and the nemesis; the result is what stands in the log. */
  const ordeal = async (store: (topic: string, body: string, partition: number) => Promise<unknown>) => {
    const topic = `cut-${randomUUID()}`;
    const judge = kafkaBroker(kafka.servers);
    await judge.open();
    await judge.ensureTopic({ name: topic, partitions, retention: 'standard' });
    const acknowledged = new Set<string>();
    let ended = false;
    let rejected = 0;
    const call = async (body: string, partition: number) => {
      try {
        await store(topic, body, partition);
        acknowledged.add(body);
      } catch {
        rejected += 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    const caller = async (name: number) => {
      for (let i = 0; !ended; i++) await call(`${name}-${i}`, name % partitions);
    };
    const calls = Array.from({ length: callers }, (_, name) => caller(name));
    for (let cut = 0; cut < cuts; cut++) {
      const from = acknowledged.size;
      await until('answers come', () => acknowledged.size >= from + answersBetweenCuts || rejected > 100_000);
      const before = judge.lag('none', topic).reduce((sum, { highWatermark }) => sum + highWatermark, 0n);
      proxy.swallowAnswers();
      // Something is appended of which nobody hears.
      await until('the log grows', () => {
        const now = judge.lag('none', topic).reduce((sum, { highWatermark }) => sum + highWatermark, 0n);
        return now > before;
      });
      // They come while the fate of those before them is unknown.
      for (let partition = 0; partition < partitions; partition++)
        calls.push(call(`late-${cut}-${partition}`, partition));
      proxy.cut();
    }
    ended = true;
    await Promise.all(calls);
    const stored = (await readTopic(judge, topic)).map(({ body }) => body.toString());
    await judge.close();
    const there = new Set(stored);
    return {
      lost: [...acknowledged].filter((body) => !there.has(body)).length,
      copies: stored.length - there.size,
      rejected,
    };
  };

  test('a bare kafkajs, idempotent, loses messages without an error', async () => {
    const client = new kafkajs.Kafka({
      brokers: [proxied],
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { initialRetryTime: 50 },
    });
    const producer = client.producer({ idempotent: true, allowAutoTopicCreation: false });
    await producer.connect();
    let lost = 0;
    // Whether a cut meets a message between append and answer is chance.
    for (let round = 0; round < maxRounds && lost === 0; round += 1) {
      const result = await ordeal((topic, value, partition) =>
        producer.send({ topic, acks: -1, messages: [{ key: null, value, partition }] }),
      );
      ({ lost } = result);
    }
    await producer.disconnect();
    expect(lost).toBeGreaterThan(0);
  }, 300_000);

  test('the driver loses none and stores none twice', async () => {
    const broker = kafkaBroker(proxied, {
      producer: { retries: 2, timeoutMs: 30_000, lingerMs: 1, compression: 'none', maxWaitingBytes: 1e8 },
    });
    await broker.open();
    const known = new Set<string>();
    const { lost, copies, rejected } = await ordeal(async (topic, body, partition) => {
      if (!known.has(topic)) await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
      known.add(topic);
      await broker.append([{ topic, partition, key: null, body: Buffer.from(body), headers: {} }], -1);
    });
    await broker.close();
    expect({ lost, copies, rejected }).toEqual({ lost: 0, copies: 0, rejected: 0 });
  }, 300_000);
});
