// npm run kafka:up and kafka:down: starts and stops a Kafka on this machine, without docker.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDirectory, LocalCluster } from './local-cluster.ts';

/** One at a time: `down` stops what `up` has started, and nothing else. */
const directory = join(cacheDirectory(), 'up');

async function up(nodes: 1 | 3): Promise<void> {
  const running = await LocalCluster.at(directory);
  if (running !== null) {
    process.stderr.write('a cluster of an earlier kafka:up is there; npm run kafka:down ends it\n');
    await Promise.all(running.nodes.map((node) => node.answering()));
    process.stdout.write(`KAFKA_BROKERS=${running.servers}\n`);
    return;
  }
  await rm(directory, { recursive: true, force: true });
  process.stderr.write(`starting ${nodes === 1 ? 'one node' : 'three nodes'}; the first time fetches 79 MB of jars\n`);
  const cluster = await LocalCluster.start(directory, nodes);
  process.stdout.write(`KAFKA_BROKERS=${cluster.servers}\n`);
}

async function down(): Promise<void> {
  const running = await LocalCluster.at(directory);
  await running?.remove();
  process.stderr.write(running === null ? 'nothing to stop\n' : 'stopped, and its data removed\n');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { nodes: { type: 'string', default: '1' } },
});
const nodes = Number(values.nodes);
if (positionals[0] === 'up' && (nodes === 1 || nodes === 3)) {
  try {
    await up(nodes);
  } catch (error) {
    await (await LocalCluster.at(directory))?.keepLogs(cacheDirectory());
    if (existsSync(directory)) await down();
    process.stderr.write(`Kafka did not start: ${String(error)}; its log is kept in ${cacheDirectory()}\n`);
    process.exitCode = 1;
  }
} else if (positionals[0] === 'down') {
  await down();
} else {
  process.stderr.write('usage: cluster.ts up [--nodes 1|3] | down\n');
  process.exitCode = 64;
}
