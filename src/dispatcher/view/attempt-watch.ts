// What attempts of the last while tell, for whoever looks: how long they take, and which fail where and how.
import type { Clock } from '../../message/clock.js';
import { type Delivery, wantedAtMs } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { LatencyWindow } from './latency-window.js';

/** Failures that are alike are one row; the row that was touched longest ago goes. */
const maxFailureRows = 1024;
/** The newest attempts that failed, and those that ended well after failures. Under 1 KiB each. */
const maxNoted = 4096;
const latencySeconds = 10;
/** Of an answer and a detail, what is kept here. */
const maxText = 256;

/** Failed attempts of one subscription to one destination that ended alike. */
export interface FailureRow {
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  /** retry: it is tried again, up to `retries`; rejected: to the dead letters at once. */
  readonly kind: 'retry' | 'rejected';
  /** 0 when no answer came. */
  readonly status: number;
  /** Of the newest one, as is the id. */
  readonly detail: string;
  readonly lastId: string;
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

type Counted = { -readonly [K in Exclude<keyof FailureRow, 'first' | 'last'>]: FailureRow[K] } & {
  firstMs: number;
  lastMs: number;
};

/** One attempt as it ended. */
export interface NotedAttempt {
  readonly id: string;
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  readonly attempt: number;
  readonly kind: 'delivered' | 'retry' | 'rejected';
  readonly status: number;
  readonly detail: string;
  readonly answer: string;
  readonly endedMs: number;
  readonly durationMs: number;
}

/** Counted since the start of the process. */
export interface SubscriptionPace {
  delivered: number;
  /** Attempts. */
  failed: number;
  /** From the moment in which a message was accepted, or due, until it was delivered. */
  readonly deliveries: LatencyWindow;
  /** One exchange with the receiver. */
  readonly attempts: LatencyWindow;
}

type Ended = Exclude<Outcome, { kind: 'aborted' }>;

/** Bounded in memory; costs a delivery that goes well two additions and nothing that is kept. */
export class AttemptWatch {
  /** By topic, then by group. */
  private readonly paces = new Map<string, Map<string, SubscriptionPace>>();
  private readonly rows = new Map<string, Counted>();
  /** A ring once it is full; `next` is where the oldest stands. */
  private readonly noted: NotedAttempt[] = [];
  private next = 0;

  constructor(private readonly clock: Clock) {}

  /** Told of each attempt as it ends, before anything of the delivery changes. */
  attempted(groupId: string, delivery: Delivery, outcome: Outcome): void {
    if (outcome.kind === 'aborted') return;
    const nowMs = this.clock.elapsedMs();
    const pace = this.paceOf(delivery.origin.topic, groupId);
    pace.attempts.add(outcome.durationMs, nowMs);
    if (outcome.kind === 'delivered') {
      pace.delivered += 1;
      pace.deliveries.add(this.clock.now() - wantedAtMs(delivery), nowMs);
      if (delivery.attempt === 1) return;
    } else {
      pace.failed += 1;
      this.count(groupId, delivery, outcome);
    }
    this.note(groupId, delivery, outcome);
  }

  paceOf(topic: string, groupId: string): SubscriptionPace {
    const ofTopic = this.paces.get(topic) ?? new Map<string, SubscriptionPace>();
    const known = ofTopic.get(groupId);
    if (known !== undefined) return known;
    const nowMs = this.clock.elapsedMs();
    const pace = {
      delivered: 0,
      failed: 0,
      deliveries: new LatencyWindow(latencySeconds, nowMs),
      attempts: new LatencyWindow(latencySeconds, nowMs),
    };
    this.paces.set(topic, ofTopic.set(groupId, pace));
    return pace;
  }

  /** The subscription is gone. */
  forget(topic: string, groupId: string): void {
    const ofTopic = this.paces.get(topic);
    ofTopic?.delete(groupId);
    if (ofTopic?.size === 0) this.paces.delete(topic);
  }

  /** The newest first. */
  failures(limit: number): FailureRow[] {
    const newest = [...this.rows.values()].reverse().slice(0, limit);
    return newest.map(({ firstMs, lastMs, ...row }) => ({
      ...row,
      first: new Date(firstMs).toISOString(),
      last: new Date(lastMs).toISOString(),
    }));
  }

  /** What is still known of a message's attempts, the oldest first. */
  ofMessage(id: string): NotedAttempt[] {
    return [...this.noted.slice(this.next), ...this.noted.slice(0, this.next)].filter((one) => one.id === id);
  }

  private count(groupId: string, delivery: Delivery, outcome: Exclude<Ended, { kind: 'delivered' }>): void {
    const { id, origin, destination } = delivery;
    const { kind, status } = outcome;
    const how = kind === 'retry' ? outcome.reason : '';
    const name = `${origin.topic} ${groupId} ${destination} ${kind} ${how} ${status}`;
    const nowMs = this.clock.now();
    const known = this.rows.get(name);
    // Deleted and set anew, it is the newest.
    if (known !== undefined) this.rows.delete(name);
    const row = known ?? {
      topic: origin.topic,
      groupId,
      destination,
      kind,
      status,
      detail: '',
      lastId: '',
      lastMs: 0,
      firstMs: nowMs,
      count: 0,
    };
    row.count += 1;
    row.detail = outcome.detail.slice(0, maxText);
    row.lastId = id;
    row.lastMs = nowMs;
    this.rows.set(name, row);
    if (this.rows.size > maxFailureRows) this.rows.delete(this.rows.keys().next().value as string);
  }

  private note(groupId: string, { id, origin, destination, attempt }: Delivery, outcome: Ended): void {
    const { kind, status, durationMs, body } = outcome;
    const noted = {
      id,
      topic: origin.topic,
      groupId,
      destination,
      attempt,
      kind,
      status,
      detail: kind === 'delivered' ? '' : outcome.detail.slice(0, maxText),
      answer: body.slice(0, maxText),
      endedMs: this.clock.now(),
      durationMs,
    };
    this.noted[this.next] = noted;
    this.next = (this.next + 1) % maxNoted;
  }
}
