// Two bigpipe processes on one Kafka, that know where each other is.
import { BigpipeProcess, baseConfig, type Config } from './bigpipe-process.js';
import { until } from './until.js';

/** A killed process holds its partitions for as long. */
const sessionTimeoutMs = 6000;
const boundMs = 90_000;

export const clusterSecret = 'a-secret-of-the-nodes-alone';

export const nodeConfig = (servers: string, changes: Config): Config =>
  baseConfig({
    'broker.driver': 'kafka',
    'kafka.bootstrap.servers': servers,
    'kafka.consumer.session.timeout': sessionTimeoutMs,
    'cluster.secret': clusterSecret,
    ...changes,
  });

/** How many partitions of the topic a process owns for the group. */
export async function ownedBy(bigpipe: BigpipeProcess, group: string, topic: string): Promise<number> {
  const { brokerStats } = (await bigpipe.stats()) as unknown as {
    brokerStats: { members: { group: string; assigned: string[] }[] };
  };
  const names = brokerStats.members.filter((member) => member.group === group).flatMap(({ assigned }) => assigned);
  return names.filter((name) => name.startsWith(`${topic}/`)).length;
}

/** Resolves once each of them owns some, and all together all of the partitions. */
export async function untilShared(
  nodes: readonly BigpipeProcess[],
  group: string,
  topic: string,
  partitions: number,
): Promise<void> {
  await until(
    `the partitions of ${topic} are shared out`,
    async () => {
      const owned = await Promise.all(nodes.map((node) => ownedBy(node, group, topic)));
      return owned.every((count) => count > 0) && owned.reduce((sum, count) => sum + count, 0) === partitions;
    },
    boundMs,
  );
}
