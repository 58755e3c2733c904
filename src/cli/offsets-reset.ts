// bigpipe offsets reset: from where a subscription goes on in its topic.
import type { Clock } from '../message/clock.js';
import { ask } from './ask.js';
import { managementAccess } from './management-access.js';

/** What is in flight ends first, which takes as long as the receivers' timeout. */
const withinMs = 120_000;

export interface ResetOrder {
  readonly topic: string;
  readonly group: string;
  /** earliest, latest, an offset, or a time like 2026-11-21T14:00:00Z. */
  readonly to: string;
  readonly partition: string | null;
  readonly against: string;
}

/** The lines to print. Rejects when nobody answered, or with what was refused. */
export async function resetOffsets(
  { topic, group, to, partition, against }: ResetOrder,
  clock: Clock,
): Promise<string[]> {
  const path = `/subscriptions/${encodeURIComponent(topic)}/${encodeURIComponent(group)}/offsets`;
  const body = JSON.stringify({ to, ...(partition === null ? {} : { partition: Number(partition) }) });
  const { token } = await managementAccess();
  const answer = await ask({ token, against, path, contentType: 'application/json', body, withinMs }, clock);
  const { partitions } = answer as { partitions: { partition: number; from: string; to: string }[] };
  return partitions.map((row) => `partition ${row.partition}: ${row.from} -> ${row.to}`);
}
