// Once a test run: says where a Kafka may be started, and ends the one that was.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { hasJava, LocalCluster } from '../../kafka/local-cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Empty when there can be none. */
    kafkaDirectory: string;
    kafkaServers: string;
  }
}

/** The first test that needs a Kafka starts it; the others of the run share it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = process.env['KAFKA_BROKERS'] ?? '';
  const directory = (await hasJava()) ? await mkdtemp(join(tmpdir(), 'bigpipe-kafka-')) : '';
  project.provide('kafkaServers', servers);
  project.provide('kafkaDirectory', directory);
  if (servers === '' && directory === '') {
    process.stderr.write(
      '\nNO KAFKA: neither Java nor KAFKA_BROKERS is there. Every suite that needs a Kafka is SKIPPED.\n\n',
    );
  }
  return async () => {
    if (directory === '') return;
    await (await LocalCluster.at(join(directory, 'shared')))?.remove();
    await rm(directory, { recursive: true, force: true });
  };
}
