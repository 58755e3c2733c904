// Why a message is not delivered yet: everything that holds it, and when that may end.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock } from '../../message/clock.js';
import { historyOf } from '../../message/dead-letter.js';
import { maxAttemptsOf } from '../../message/delivery.js';
import { type MessageHeaders, messageHeader, type StoredMessage } from '../../message/message.js';
import { type Hold, type HoldReason, lowestRate } from '../../policy/policy.js';
import type { DelayedNote } from '../overflow/delayed-notes.js';
import type { Destination } from '../sending/destination.js';
import type { Scheduler } from '../sending/scheduler.js';
import type { Work } from '../window/partition-window.js';

/** One thing that a message waits for. */
export interface Wait {
  readonly reason: 'delay' | 'order' | 'retry' | 'turn' | 'backlog' | 'window' | 'overflow' | HoldReason;
  readonly detail: string;
  /** When this one ends, as far as time decides; null when something else does. */
  readonly until: string | null;
}

export type DeliveryState =
  | 'settled'
  | 'settled or in the overflow'
  | 'with another node'
  | 'ended at another node'
  | 'in flight'
  | 'waiting'
  | 'unread'
  | 'dead letter'
  | 'to dead letter'
  | 'to overflow';

/** The state of one message in one subscription. */
export interface Explanation {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  /** A text: it may pass what a JSON number holds. */
  readonly offset: string;
  readonly state: DeliveryState;
  readonly id?: string;
  /** The name under which it was sent, where the door told it. */
  readonly aclName?: string;
  readonly destination?: string;
  /** The attempt that is under way or comes next. */
  readonly attempt?: number;
  readonly maxAttempts?: number;
  /** Since when it is in this state. */
  readonly since?: string;
  /** Where its dead letter stands among the others of the partition, and what is told there. */
  readonly deadLetter?: { readonly offset: string; readonly history: Readonly<Record<string, string>> };
  /** What decides first comes first. */
  readonly waitingFor: readonly Wait[];
  /** When its next attempt may begin if nothing else fails: not a promise. null when nobody can say. */
  readonly estimate: string | null;
}

/** Time as people read it. */
export class WallTime {
  constructor(private readonly clock: Clock) {}

  unixMs(elapsedMs: number): number {
    return this.clock.now() + elapsedMs - this.clock.elapsedMs();
  }

  text(elapsedMs: number): string {
    return new Date(Math.round(this.unixMs(elapsedMs))).toISOString();
  }
}

/** A message that has been read and is not settled. */
export function explainWork(
  work: Work,
  ahead: Work | undefined,
  subscription: SubscriptionSettings,
  scheduler: Scheduler,
  clock: Clock,
): Explanation {
  const time = new WallTime(clock);
  const { delivery, stage } = work;
  const { id, origin, destination, attempt } = delivery;
  const place = {
    groupId: subscription.groupId,
    topic: origin.topic,
    partition: origin.partition,
    offset: `${origin.offset}`,
    id,
    ...aclNameOf(delivery.source.headers),
    destination,
    attempt,
    maxAttempts: maxAttemptsOf(delivery),
  };
  if (stage === 'in flight' || stage === 'dead letter' || stage === 'moving') {
    const state = { 'in flight': 'in flight', 'dead letter': 'to dead letter', moving: 'to overflow' } as const;
    return { ...place, state: state[stage], since: time.text(work.stageMs), waitingFor: [], estimate: null };
  }
  const waits = [...ownWaits(work, ahead, time), ...gateWaits(work, scheduler, time)];
  const nowMs = clock.elapsedMs();
  const untilMs = Math.max(nowMs, ...waits.flatMap(({ untilMs: ms }) => ms ?? []));
  const isKnown = waits.every(({ untilMs: ms, reason }) => ms !== null || reason === 'turn');
  const target = scheduler.destinations.find(destination);
  const { perSecond } = lowestRate({ subscription, destination: target?.settings ?? null });
  const aheadMs = (positionOf(work, target) * 1000) / perSecond;
  return {
    ...place,
    state: 'waiting',
    ...(stage === 'retry' || stage === 'not yet' ? {} : { since: time.text(work.stageMs) }),
    waitingFor: waits.map(({ reason, detail, untilMs: ms }) => ({
      reason,
      detail,
      until: ms === null ? null : time.text(ms),
    })),
    estimate: isKnown ? time.text(untilMs + aheadMs) : null,
  };
}

/** A message that stands among the dead letters. */
export function explainLetter(explanation: Explanation, letter: StoredMessage): Explanation {
  const id = letter.headers[messageHeader.id];
  const deadLetter = { offset: `${letter.offset}`, history: historyOf(letter.headers) };
  const names = { ...(id === undefined ? {} : { id }), ...aclNameOf(letter.headers) };
  return { ...explanation, ...names, state: 'dead letter', waitingFor: [], deadLetter };
}

/** A message that waits in a delay topic. */
export function explainDelayed(note: DelayedNote, { topic, groupId }: SubscriptionSettings): Explanation {
  const { id, aclName, partition, offset, destination, attempt, maxAttempts, redelivery, dueMs } = note;
  const due = new Date(dueMs).toISOString();
  const isFirst = attempt === 1;
  const what = isFirst
    ? 'its caller asked for a later moment'
    : `attempt ${attempt} of ${maxAttempts} after a ${redelivery}`;
  const detail = `${what}, due ${due}, waiting on disk`;
  return {
    groupId,
    topic,
    partition,
    offset: `${offset}`,
    id,
    ...(aclName === undefined ? {} : { aclName }),
    destination,
    attempt,
    maxAttempts,
    state: 'waiting',
    waitingFor: [{ reason: isFirst ? 'delay' : 'retry', detail, until: due }],
    estimate: due,
  };
}

interface OpenWait {
  readonly reason: Wait['reason'];
  readonly detail: string;
  readonly untilMs: number | null;
}

/** What the message itself waits for, whatever its destination does. */
function ownWaits(work: Work, ahead: Work | undefined, time: WallTime): OpenWait[] {
  const { delivery, stage, stageMs } = work;
  if (stage === 'order') {
    const detail = ahead === undefined ? 'another message' : `${ahead.delivery.id} at ${ahead.delivery.origin.offset}`;
    return [{ reason: 'order', detail: `behind ${detail}`, untilMs: null }];
  }
  if (stage === 'not yet') {
    return [{ reason: 'delay', detail: `its caller asked for ${time.text(stageMs)}`, untilMs: stageMs }];
  }
  if (stage !== 'retry') return [];
  const { attempt, redelivery } = delivery;
  const detail = `attempt ${attempt} of ${maxAttemptsOf(delivery)} after a ${redelivery}, due ${time.text(stageMs)}`;
  return [{ reason: 'retry', detail, untilMs: stageMs }];
}

function gateWaits(work: Work, scheduler: Scheduler, time: WallTime): OpenWait[] {
  const destination = scheduler.destinations.find(work.delivery.destination);
  const holds: Hold[] = [];
  if (destination?.hold) holds.push(destination.hold);
  else if (destination?.retriesHold && work.delivery.attempt > 1) holds.push(destination.retriesHold);
  if (scheduler.hold !== null) holds.push(scheduler.hold);
  const waits: OpenWait[] = holds.map(({ reason, detail, untilMs }) => ({
    reason,
    detail: untilMs === null ? detail : `${detail}, until ${time.text(untilMs)}`,
    untilMs,
  }));
  if (work.stage !== 'ready') return waits;
  const before = positionOf(work, destination);
  if (before > 0 || waits.length === 0) {
    waits.push({ reason: 'turn', detail: `${before} ready before it for the same destination`, untilMs: null });
  }
  return waits;
}

/** How many are ready before it for its destination. */
function positionOf(work: Work, destination: Destination | undefined): number {
  if (destination === undefined || work.stage !== 'ready') return 0;
  const { firsts, retries, retriesHold } = destination;
  if (work.delivery.attempt > 1) return retries.indexOf(work);
  // Retries past their budget go behind.
  return (retriesHold === null ? retries.length : 0) + firsts.indexOf(work);
}

function aclNameOf(headers: MessageHeaders): { aclName?: string } {
  const aclName = headers[messageHeader.acl];
  return aclName === undefined ? {} : { aclName };
}
