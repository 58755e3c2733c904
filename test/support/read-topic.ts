// Everything that stands in a topic, read with a fresh group.
import { randomUUID } from 'node:crypto';
import type { Broker } from '#src/broker/broker.js';
import type { StoredMessage } from '#src/message/message.js';
import { GroupLog } from './group-log.js';
import { until } from './until.js';

/** What was stored before the call, in the order of each partition. */
export async function readTopic(broker: Broker, topic: string): Promise<readonly StoredMessage[]> {
  const log = new GroupLog();
  const group = `reader-${randomUUID()}`;
  // The ends are known exactly once it has joined.
  const membership = await broker.join(group, [topic], log);
  const next = new Map<number, bigint>();
  const seen = () => {
    for (const { partition, nextOffset } of log.batches) next.set(partition, nextOffset);
    return broker
      .lag(group, topic)
      .every(({ partition, highWatermark }) => highWatermark === 0n || (next.get(partition) ?? 0n) >= highWatermark);
  };
  await until(`all of ${topic} is read`, seen, 60_000);
  await membership.leave();
  return log.received;
}
