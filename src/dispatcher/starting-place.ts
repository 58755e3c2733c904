// Where a group begins that was never served: put there before anything is delivered.
import type { Broker } from '../broker/broker.js';
import type { StartAt, SubscriptionSettings } from '../config-watch/settings.js';
import { type Clock, within } from '../message/clock.js';
import type { MessageFinder } from '../tracking/message-finder.js';

/** Partitions that another member has are placed by that one. */
const boundMs = 20_000;

export interface PlaceParts {
  readonly broker: Broker;
  readonly finder: MessageFinder;
  readonly clock: Clock;
}

/** A group that has a mark anywhere in the topic goes on where it is. Rejects as Broker does. */
export async function placeNewGroup(
  { broker, finder, clock }: PlaceParts,
  { topic, groupId, startAt }: SubscriptionSettings,
): Promise<void> {
  if (startAt === 'earliest' || (await isKnown(broker, topic, groupId))) return;
  const marks = new Map<number, bigint>();
  for (const { partition, highWatermark } of broker.lag(groupId, topic)) {
    marks.set(partition, await offsetOf(startAt, { topic, partition }, highWatermark, finder));
  }
  const left = new Set(marks.keys());
  const placed = Promise.withResolvers<void>();
  const membership = await broker.join(groupId, [topic], {
    assigned: async (member, assignments) => {
      for (const assignment of assignments) member.pause(assignment);
      for (const { partition } of assignments) {
        const offset = marks.get(partition);
        if (offset !== undefined) await member.commit({ topic, partition }, { offset, metadata: '' });
        left.delete(partition);
      }
      if (left.size === 0) placed.resolve();
    },
    messages: () => undefined,
    revoked: () => undefined,
  });
  await within(clock, boundMs, placed.promise);
  await membership.leave();
}

async function isKnown(broker: Broker, topic: string, groupId: string): Promise<boolean> {
  const lags = await broker.groupLags();
  return lags.some((lag) => lag.group === groupId && lag.topic === topic && lag.committed !== null);
}

async function offsetOf(
  startAt: Exclude<StartAt, 'earliest'>,
  at: { readonly topic: string; readonly partition: number },
  end: bigint,
  finder: MessageFinder,
): Promise<bigint> {
  if (startAt === 'latest') return end;
  if ('timeMs' in startAt) return finder.firstStoredFrom(at, end, startAt.timeMs);
  const { offsets } = startAt;
  // A partition that came since was empty then.
  const text = offsets.length === 1 ? offsets[0] : offsets[at.partition];
  const offset = BigInt(text ?? '0');
  return offset < end ? offset : end;
}
