// A real Kafka for tests: one that the whole run shares, or one of a test's own whose nodes it may kill.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import type { OffsetStore } from '#src/broker/offset-store.js';
import type { KafkaBrokerSettings } from '#src/config-watch/settings.js';
import { SystemClock } from '#src/message/clock.js';
import { LocalCluster } from '../../kafka/local-cluster.ts';
import { until } from './until.js';

/** Suites that start nodes of their own need Java. */
export const canStartKafka = inject('kafkaDirectory') !== '';
export const hasKafka = canStartKafka || inject('kafkaServers') !== '';

const startBoundMs = 180_000;

/** host:port of the Kafka that the whole run shares. Use fresh names in it. */
export async function sharedKafka(): Promise<string> {
  const given = inject('kafkaServers');
  if (given !== '') return given;
  const directory = inject('kafkaDirectory');
  const told = join(directory, 'servers');
  // Whoever makes it first starts it.
  const isFirst = await mkdir(join(directory, 'starting')).then(
    () => true,
    () => false,
  );
  if (isFirst) {
    const { servers } = await LocalCluster.start(join(directory, 'shared'), 1);
    await writeFile(told, servers);
  }
  await until('the shared Kafka answers', () => existsSync(told), startBoundMs);
  return until('the shared Kafka answers', async () => (await readFile(told, 'utf8')) || null);
}

let own = 0;

/** Nodes of a test's own; the test removes them. */
export function ownKafka(nodes: 1 | 3, secured = false): Promise<LocalCluster> {
  own += 1;
  return LocalCluster.start(join(inject('kafkaDirectory'), `own-${process.pid}-${own}`), nodes, secured);
}

/** Settings as the loader makes them, for tests: heartbeats and waits are short. */
export function kafkaSettings(servers: string, overrides: Partial<KafkaBrokerSettings> = {}): KafkaBrokerSettings {
  return {
    servers: servers.split(','),
    clientId: 'test',
    tls: null,
    sasl: null,
    format: 'bigpipe',
    replicationFactor: 0,
    maxMessageBytes: 1_114_112,
    maxMetadataBytes: 4096,
    offsetStore: 'kafka',
    producer: { retries: 2, timeoutMs: 10_000, lingerMs: 1, compression: 'none', maxWaitingBytes: 67_108_864 },
    consumer: { sessionTimeoutMs: 10_000, heartbeatMs: 100, maxWaitMs: 200, maxBufferBytes: 67_108_864 },
    ...overrides,
  };
}

export function kafkaBroker(
  servers: string,
  overrides: Partial<KafkaBrokerSettings> = {},
  report: (text: string, error: unknown) => void = () => undefined,
  offsetStore?: OffsetStore,
): KafkaBroker {
  const store = offsetStore === undefined ? {} : { offsetStore };
  return new KafkaBroker({ settings: kafkaSettings(servers, overrides), clock: new SystemClock(), report, ...store });
}
