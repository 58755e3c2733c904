// Kafka goes away and comes back: callers hear of it in time, memory stays bounded, everything goes on by itself.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { GroupLog } from '../support/group-log.js';
import { canStartKafka, kafkaBroker, ownKafka } from '../support/kafka-cluster.js';
import { readTopic } from '../support/read-topic.js';
import { until } from '../support/until.js';

const topic = 'calls';
const own = 'calls.G.overflow';
const boundMs = 120_000;
const maxWaitingBytes = 1_048_576;
const producer = { retries: 2, timeoutMs: 2000, lingerMs: 1, compression: 'none', maxWaitingBytes } as const;

describe.skipIf(!canStartKafka)('Kafka is gone for a while', () => {
  let kafka: LocalCluster;
  let broker: KafkaBroker;
  const log = new GroupLog();

  beforeAll(async () => {
    kafka = await ownKafka(1);
    broker = kafkaBroker(kafka.servers, { producer });
    await broker.open();
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    await broker.ensureTopic({ name: own, partitions: 2, retention: 'side' });
    log.onMessages = (membership, { topic: at, partition, nextOffset }) => {
      membership.commit({ topic: at, partition }, { offset: nextOffset, metadata: '' }).catch(() => undefined);
    };
    await broker.join('G', [topic], log);
  }, 200_000);

  afterAll(async () => {
    await broker?.close();
    await kafka?.remove();
  });

  const append = (body: string, to = topic) =>
    broker.append([{ topic: to, partition: 0, key: null, body: Buffer.from(body), headers: {} }], -1);

  test('what is appended meanwhile is refused in time, or waits where nobody calls; afterwards all goes on', async () => {
    await append('before');
    await until('it arrives', () => log.received.length === 1);
    const [node] = kafka.nodes;
    await node?.kill();

    await expect(append('meanwhile')).rejects.toMatchObject({ code: 'storage-failed', retriable: true });
    await until('it is known', () => !broker.health().ok, boundMs);
    expect(broker.health().detail).toMatch(/^Kafka does not answer: /);
    // Behind a wall nobody can tell whether somebody else has taken over.
    await until('nobody is certain of a partition', () => log.assignments.every((one) => !one.isOurs()), boundMs);
    // bigpipe's own moves have no caller: they wait, so that a rejection never leaves a copy behind.
    const moved = append('moved', own);
    const large = 'x'.repeat(400_000);
    const refusals = await Promise.allSettled([append(large), append(large), append(large)]);
    const codes = refusals.map((refusal) => (refusal.status === 'rejected' ? `${refusal.reason.code}` : 'stored'));
    expect(codes.toSorted()).toEqual(['overloaded', 'storage-failed', 'storage-failed']);
    expect(broker.counters.waitingBytes).toBeLessThan(maxWaitingBytes);

    await node?.start();
    await node?.answering();
    expect((await moved)[0]?.offset).toBe(0n);
    await until('it is well', () => broker.health().ok, boundMs);
    const positions = await append('after');
    expect(positions[0]?.partition).toBe(0);
    await until('it arrives', () => log.bodies().includes('after'), boundMs);
    expect(log.assignments.some((one) => one.isOurs())).toBe(true);
    await until('its mark is at Kafka', () => broker.lag('G', topic)[0]?.lag === 0n, boundMs);
    const stored = (await readTopic(broker, topic)).map(({ body }) => body.toString().slice(0, 9));
    expect(stored.filter((body) => body === 'before' || body === 'after')).toEqual(['before', 'after']);
    // Its callers were told that nobody knows: it may stand there, but once.
    expect(stored.filter((body) => body === 'meanwhile').length).toBeLessThanOrEqual(1);
  }, 240_000);
});
