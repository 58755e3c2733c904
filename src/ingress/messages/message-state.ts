// What a caller is told of a message that it sent; pure. Nothing of other callers' messages is in it.
import { messageHeader } from '../../message/message.js';
import type { FollowedDelivery, TrackedMessage } from '../../tracking/message-tracker.js';

/** settled: delivered, or dropped unsent after it was cancelled. unknown: delivered, waiting where nobody has looked, or with another node. */
export const deliveryStates = ['waiting', 'in-flight', 'settled', 'cancelled', 'dead-letter', 'unknown'] as const;
type DeliveryState = (typeof deliveryStates)[number];

const states: Readonly<Record<string, DeliveryState>> = {
  settled: 'settled',
  'settled or in the overflow': 'unknown',
  'in flight': 'in-flight',
  waiting: 'waiting',
  unread: 'waiting',
  'to overflow': 'waiting',
  'dead letter': 'dead-letter',
  'to dead letter': 'dead-letter',
};

const over: ReadonlySet<string> = new Set(['settled', 'dead letter', 'to dead letter', 'ended at another node']);

/** Nothing is left that could be stopped. */
export function isOver({ deliveries, isCancelled }: TrackedMessage): boolean {
  return !isCancelled && deliveries.length > 0 && deliveries.every(({ state }) => over.has(state));
}

export function stateOf({ id, stored, deliveries, isCancelled }: TrackedMessage): object {
  return {
    id,
    ...(stored === null ? {} : factsOf(stored)),
    cancelled: isCancelled,
    deliveries: deliveries.map((delivery) => deliveryOf(delivery, isCancelled)),
  };
}

function factsOf({ topic, key, headers, timestampMs }: NonNullable<TrackedMessage['stored']>): object {
  return defined({
    topic,
    url: headers[messageHeader.url],
    type: headers[messageHeader.type],
    key: key?.toString('utf8'),
    acceptedAt: timeOf(timestampMs),
    notBefore: timeOf(headers[messageHeader.notBefore]),
    expires: timeOf(headers[messageHeader.expires]),
  });
}

function deliveryOf(delivery: FollowedDelivery, isCancelled: boolean): object {
  const known = states[delivery.state] ?? 'unknown';
  const state = isCancelled && known === 'waiting' ? 'cancelled' : known;
  const { groupId: subscription, attempt, maxAttempts, since, estimate, waitingFor, deadLetter } = delivery;
  return defined({
    subscription,
    state,
    attempt,
    maxAttempts,
    since,
    waitingFor: state === 'waiting' ? waitingFor.map(({ reason, until }) => ({ reason, until })) : undefined,
    estimate: state === 'waiting' ? estimate : undefined,
    deadLetter: deadLetter === undefined ? undefined : letterOf(deadLetter.history),
  });
}

function letterOf(history: Readonly<Record<string, string>>): object {
  return defined({
    reason: history['reason'],
    detail: history['detail'],
    status: Number(history['status'] ?? 0),
    attempts: Number(history['attempts'] ?? 0),
    firstAttempt: history['first-attempt'] || undefined,
    lastAttempt: history['last-attempt'] || undefined,
  });
}

function timeOf(unixMs: number | string | undefined): string | undefined {
  return unixMs === undefined ? undefined : new Date(Number(unixMs)).toISOString();
}

/** Without what is not known. */
const defined = (fields: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
