// Moving from the Go bigpipe without a gap: old and new on the same topic and in the same group, one after the other.
import kafkajs, { type Consumer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { hasKafka, kafkaBroker, sharedKafka } from '../support/kafka-cluster.js';
import { replaceConfig } from '../support/live-config.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const boundMs = 90_000;
/** Fresh names: the Kafka is shared. */
const topic = `go-${process.pid}`;
const groupId = `G-${process.pid}`;

/** What the original reads of a message. */
interface GoMessage {
  readonly Url: string;
  readonly Data: string;
}

describe.skipIf(!hasKafka)('beside the Go bigpipe', () => {
  let servers = '';
  let target: TargetServer;
  let old: Consumer;
  let bigpipe: BigpipeProcess;
  const deliveredByOld: string[] = [];

  beforeAll(async () => {
    servers = await sharedKafka();
    target = await TargetServer.start();
    const writer = kafkaBroker(servers);
    await writer.open();
    await writer.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    await writer.close();
    // Stands in for the original: another member, of another protocol, that reads its own form and commits as it goes.
    const client = new kafkajs.Kafka({ brokers: servers.split(','), logLevel: kafkajs.logLevel.NOTHING });
    old = client.consumer({ groupId, sessionTimeout: 10_000, heartbeatInterval: 300 });
    await old.connect();
    await old.subscribe({ topics: [topic], fromBeginning: true });
    const joined = new Promise<void>((resolve) => old.on(old.events.GROUP_JOIN, () => resolve()));
    await old.run({
      autoCommitThreshold: 1,
      eachMessage: async ({ message }) => {
        deliveredByOld.push((JSON.parse(String(message.value)) as GoMessage).Data);
      },
    });
    await joined;
  }, 300_000);

  afterAll(async () => {
    await old?.disconnect();
    await bigpipe?.dispose();
    await target?.close();
  });

  const calls = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const answer = await bigpipe.call({ url: target.url(), data: `${i}`, partition_key: `k${i % 4}` });
      expect(answer.body.errno).toBe(0);
    }
  };
  const deliveredByNew = () => target.arrivals.map(({ body }) => body.toString());

  const config = (consumers: readonly Config[]): Config =>
    baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': servers,
      'kafka.message.format': 'bigpipe-go',
      'kafka.consumer.session.timeout': 6000,
      'kafka.topics': [{ name: topic, partitions: 2 }],
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic }],
      'kafka.consumer.list': consumers,
    });

  test('calls that the new one takes are delivered by the old one', async () => {
    bigpipe = await BigpipeProcess.start({ config: config([]) });
    await calls(0, 20);
    await until('the old one has them', () => deliveredByOld.length === 20, boundMs);
  }, 120_000);

  test('the new one is given the group while the old one has it, and waits', async () => {
    await replaceConfig(bigpipe, config([baseConsumer({ topic, groupId })]));
    await until(
      'it is told why not',
      () => bigpipe.log.some((line) => JSON.stringify(line).includes('protocols are incompatible')),
      boundMs,
    );
    await calls(20, 30);
    await until('the old one has those, too', () => deliveredByOld.length === 30, boundMs);
    expect(deliveredByNew()).toEqual([]);
  }, 120_000);

  test('when the old one goes, the new one goes on where it stopped: nothing is left out', async () => {
    await old.disconnect();
    await calls(30, 50);
    await until('the new one has the rest', () => deliveredByNew().length >= 20, boundMs);
    const all = [...deliveredByOld, ...deliveredByNew()].map(Number);
    expect(new Set(all)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => i)));
    // The old one had committed all that it delivered.
    expect(all.length).toBe(50);
  }, 120_000);
});
