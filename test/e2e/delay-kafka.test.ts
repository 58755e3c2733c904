// /delay of a monitored Kafka says what Kafka's own kafka-consumer-groups says, also when the consumer is dead.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaTool } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { hasKafka, kafkaBroker, sharedKafka } from '../support/kafka-cluster.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const boundMs = 90_000;
/** Fresh names: the Kafka is shared. */
const topic = `lag-${process.pid}`;
const group = `G-${process.pid}`;

type Lags = Record<string, Record<string, number>>;

interface Details {
  readonly lag: number;
  readonly committed: string;
  readonly end: string;
  readonly ageSeconds: number;
  readonly drainSeconds: number | null;
}

describe.skipIf(!hasKafka)('the lag of groups on a Kafka', () => {
  let servers = '';
  let target: TargetServer;
  let consumer: BigpipeProcess;
  let monitor: BigpipeProcess;

  beforeAll(async () => {
    servers = await sharedKafka();
    target = await TargetServer.start(({ path }, response) => {
      if (path !== '/held') response.end();
    });
    const config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': servers,
      'kafka.topics': [{ name: topic, partitions: 2 }],
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic }],
      'kafka.consumer.list': [baseConsumer({ topic, groupId: group, timeout: 60_000 })],
    });
    const clusters = [{ name: 'own' }, { name: 'first', servers }, { name: 'gone', servers: '127.0.0.1:9' }];
    [consumer, monitor] = await Promise.all([
      BigpipeProcess.start({ config }),
      BigpipeProcess.start({ config: baseConfig({ 'monitor.clusters': clusters, 'monitor.interval': 1000 }) }),
    ]);
  }, 300_000);

  afterAll(async () => {
    await consumer?.dispose();
    await monitor?.dispose();
    await target?.close();
  });

  /** topic → partition → lag. */
  const told = async (): Promise<Lags> => {
    const response = await fetch(`${monitor.management}/delay?cluster=first&topic`);
    const tree = (await response.json()) as Record<string, Record<string, Lags>>;
    return tree['first']?.[group] ?? {};
  };

  const kafkasOwn = async (): Promise<Lags> => {
    const printed = await kafkaTool(
      'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
      '--bootstrap-server',
      servers,
      '--describe',
      '--group',
      group,
    );
    const rows = printed
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG …; where nothing is committed it says '-'.
      .filter(([name, , , , , lag]) => name === group && /^\d+$/.test(lag ?? ''));
    const lags: Lags = {};
    for (const [, name = '', partition = '', , , lag] of rows) lags[name] = { ...lags[name], [partition]: Number(lag) };
    return lags;
  };

  const sum = (lags: Lags) => Object.values(lags[topic] ?? {}).reduce((all, one) => all + one, 0);

  test('is what kafka-consumer-groups says, while the consumer lives', async () => {
    for (let i = 0; i < 8; i++) await consumer.call({ url: target.url('/free'), partition_key: `${i}` });
    await until('they are delivered', () => target.arrivals.length === 8, boundMs);
    for (let i = 0; i < 5; i++) await consumer.call({ url: target.url('/held'), partition_key: `${i}` });
    await until('five are behind', async () => sum(await told()) === 5, boundMs);
    expect(await told()).toEqual(await kafkasOwn());
  }, 120_000);

  test('and when it is dead, and calls still come in', async () => {
    await consumer.end('SIGKILL');
    const writer = kafkaBroker(servers);
    await writer.open();
    await writer.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    const message = { topic, key: null, body: Buffer.from('x'), headers: {} };
    await writer.append(
      [0, 1].flatMap((partition) => Array.from({ length: 20 }, () => ({ ...message, partition }))),
      -1,
    );
    await writer.close();
    await until('all of it is behind', async () => sum(await told()) === 45, boundMs);
    expect(await told()).toEqual(await kafkasOwn());
  }, 120_000);

  test('with detail the age of what waits stands beside it, and no end is foreseen while nobody consumes', async () => {
    const response = await fetch(`${monitor.management}/delay?cluster=first&detail`);
    const tree = (await response.json()) as Record<string, Record<string, Record<string, Record<string, Details>>>>;
    const partitions = Object.values(tree['first']?.[group]?.[topic] ?? {});
    expect(partitions.map(({ lag }) => lag)).toEqual(Object.values((await told())[topic] ?? {}));
    for (const { lag, committed, end, ageSeconds, drainSeconds } of partitions) {
      expect(Number(end) - Number(committed)).toBe(lag);
      expect(ageSeconds).toBeGreaterThan(0);
      expect(drainSeconds).toBeNull();
    }
  });

  test('a cluster that does not answer is named, and the others are told', async () => {
    const response = await fetch(`${monitor.management}/delay`);
    expect(response.headers.get('bigpipe-unreachable')).toBe('gone');
    expect(Object.keys((await response.json()) as object)).toEqual(['own', 'first']);
    expect((await fetch(`${monitor.management}/delay?cluster=gone`)).status).toBe(503);
  });
});
