// Each of three nodes dies once, with whatever it leads and coordinates: nothing is lost, nobody stays stuck.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { GroupLog } from '../support/group-log.js';
import { canStartKafka, kafkaBroker, ownKafka } from '../support/kafka-cluster.js';
import { until } from '../support/until.js';

const topic = 'calls';
const partitions = 6;
const boundMs = 120_000;

describe.skipIf(!canStartKafka)('nodes that die one after another', () => {
  let kafka: LocalCluster;
  let broker: KafkaBroker;

  beforeAll(async () => {
    kafka = await ownKafka(3);
    broker = kafkaBroker(kafka.servers, {
      producer: { retries: 2, timeoutMs: 90_000, lingerMs: 1, compression: 'none', maxWaitingBytes: 67_108_864 },
    });
    await broker.open();
    await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
  }, 300_000);

  afterAll(async () => {
    await broker?.close();
    await kafka?.remove();
  });

  test('two members read on, commit on, and miss nothing', async () => {
    const logs = [new GroupLog(), new GroupLog()];
    for (const log of logs) {
      log.onMessages = (membership, { partition, nextOffset }) => {
        membership.commit({ topic, partition }, { offset: nextOffset, metadata: '' }).catch(() => undefined);
      };
      await broker.join('G', [topic], log);
    }
    const received = () => new Set(logs.flatMap((log) => log.bodies()));
    let next = 0;
    const appendSome = () =>
      Promise.all(
        Array.from({ length: 60 }, () => {
          const body = `${next}`;
          next += 1;
          const message = { topic, partition: next % partitions, key: null, body: Buffer.from(body), headers: {} };
          return broker.append([message], -1);
        }),
      );
    const caughtUp = async () => {
      await until('all are received', () => received().size === next, boundMs);
      await until('all are committed', () => broker.lag('G', topic).every(({ lag }) => lag === 0n), boundMs);
    };
    await appendSome();
    await caughtUp();
    for (const node of kafka.nodes) {
      await node.kill();
      await appendSome();
      await caughtUp();
      await node.start();
      await node.answering();
    }
    await appendSome();
    await caughtUp();
    expect(received().size).toBe(next);
    // Kafka itself says where the group is: a new member begins there.
    for (const { highWatermark, committed } of broker.lag('G', topic)) expect(committed).toBe(highWatermark);
  }, 400_000);
});
