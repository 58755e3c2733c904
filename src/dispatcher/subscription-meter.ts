// What one subscription counts for /metrics: attempts and how they ended, times, and what went wrong.
import type { SubscriptionSettings } from '../config-watch/settings.js';
import type { DeadLetterReason } from '../message/dead-letter.js';
import { type Delivery, wantedAtMs } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';
import type { Counter, CounterFamily, HistogramFamily } from '../stats/metrics/counted.js';
import type { Histogram } from '../stats/metrics/histogram.js';
import type { Metrics } from '../stats/metrics/metrics.js';

/** Of a subscription so many named destinations have a label of their own, those that stand first. */
const maxNamed = 100;
/** The label of all others. */
export const otherDestinations = 'other';

/** The label of a destination: its configured name, never an origin that a caller wrote. */
export function destinationLabel({ destinations }: SubscriptionSettings, name: string): string {
  const at = destinations.findIndex((named) => named.name === name);
  return at >= 0 && at < maxNamed ? name : otherDestinations;
}

/** The families, each of which has cells of every subscription. */
export class DeliveryMeters {
  readonly attempts: CounterFamily;
  readonly durations: HistogramFamily;
  readonly endToEnd: HistogramFamily;
  readonly rateWaits: HistogramFamily;
  readonly retries: CounterFamily;
  readonly deadLetters: CounterFamily;
  readonly lost: CounterFamily;
  readonly cancelled: CounterFamily;
  readonly redriven: CounterFamily;
  readonly commitFailures: CounterFamily;

  constructor(metrics: Metrics) {
    const own = ['topic', 'group'];
    const ofDestination = [...own, 'destination'];
    this.attempts = metrics.counter(
      'bigpipe_delivery_attempts_total',
      'Attempts that have ended, by how they ended and by the class of the receiver’s status',
      [...ofDestination, 'outcome', 'code'],
    );
    this.durations = metrics.histogram(
      'bigpipe_delivery_duration_seconds',
      'From the beginning of an attempt to the receiver’s answer, or to what ended it',
      ofDestination,
    );
    this.endToEnd = metrics.histogram(
      'bigpipe_end_to_end_latency_seconds',
      'From the moment a message was stored, or that its caller asked for, to its delivery',
      own,
    );
    this.rateWaits = metrics.histogram(
      'bigpipe_rate_limit_wait_seconds',
      'How long attempts waited that a rate limit held back',
      own,
    );
    this.retries = metrics.counter('bigpipe_retries_total', 'Attempts after the first one', own);
    this.deadLetters = metrics.counter('bigpipe_dead_letters_total', 'Messages that became dead letters', [
      ...own,
      'reason',
    ]);
    this.lost = metrics.counter(
      'bigpipe_lost_messages_total',
      'Messages that could not be delivered while dead letters are switched off',
      own,
    );
    this.cancelled = metrics.counter('bigpipe_cancelled_messages_total', 'Messages that their caller took back', own);
    this.redriven = metrics.counter(
      'bigpipe_redriven_messages_total',
      'Dead letters that were sent again, by how that ended',
      [...own, 'outcome'],
    );
    this.commitFailures = metrics.counter(
      'bigpipe_commit_failures_total',
      'Commits of a group’s marks that the broker refused; they are tried again',
      own,
    );
  }

  of(topic: string, group: string): SubscriptionMeter {
    return new SubscriptionMeter(this, topic, group);
  }

  /** The subscription is gone, and its series with it. */
  forget(topic: string, group: string): void {
    const { attempts, durations, endToEnd, rateWaits, retries, deadLetters } = this;
    const { lost, cancelled, redriven, commitFailures } = this;
    const families = [attempts, durations, endToEnd, rateWaits, retries, deadLetters, lost, cancelled, redriven];
    for (const family of [...families, commitFailures]) family.forget(topic, group);
  }
}

export class SubscriptionMeter {
  readonly rateWaits: Histogram;
  readonly retries: Counter;
  readonly lost: Counter;
  readonly cancelled: Counter;
  readonly commitFailures: Counter;
  private readonly endToEnd: Histogram;
  private readonly byDestination = new Map<string, DestinationMeter>();

  constructor(
    private readonly meters: DeliveryMeters,
    private readonly topic: string,
    private readonly group: string,
  ) {
    this.endToEnd = meters.endToEnd.of(topic, group);
    this.rateWaits = meters.rateWaits.of(topic, group);
    this.retries = meters.retries.of(topic, group);
    this.lost = meters.lost.of(topic, group);
    this.cancelled = meters.cancelled.of(topic, group);
    this.commitFailures = meters.commitFailures.of(topic, group);
  }

  /** `label`: as destinationLabel says. */
  destination(label: string): DestinationMeter {
    let meter = this.byDestination.get(label);
    if (meter === undefined) {
      meter = new DestinationMeter(this.meters, this.topic, this.group, label);
      this.byDestination.set(label, meter);
    }
    return meter;
  }

  delivered(delivery: Delivery, nowMs: number): void {
    this.endToEnd.observe(Math.max(0, nowMs - wantedAtMs(delivery)) / 1000);
  }

  deadLetter(reason: DeadLetterReason): void {
    this.meters.deadLetters.of(this.topic, this.group, reason).value += 1;
  }

  redriven(outcome: 'delivered' | 'failed'): void {
    this.meters.redriven.of(this.topic, this.group, outcome).value += 1;
  }
}

export class DestinationMeter {
  private readonly durations: Histogram;
  private readonly endings = new Map<string, Map<string, Counter>>();

  constructor(
    private readonly meters: DeliveryMeters,
    private readonly topic: string,
    private readonly group: string,
    private readonly label: string,
  ) {
    this.durations = meters.durations.of(topic, group, label);
  }

  attempted(outcome: Outcome): void {
    if (outcome.kind !== 'aborted') this.durations.observe(outcome.durationMs / 1000);
    this.cellOf(outcome.kind, codeOf(outcome)).value += 1;
  }

  private cellOf(outcome: string, code: string): Counter {
    let byCode = this.endings.get(outcome);
    if (byCode === undefined) {
      byCode = new Map();
      this.endings.set(outcome, byCode);
    }
    let cell = byCode.get(code);
    if (cell === undefined) {
      const { meters, topic, group, label } = this;
      cell = meters.attempts.of(topic, group, label, outcome, code);
      byCode.set(code, cell);
    }
    return cell;
  }
}

const classes = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** The class of the status; without one, why none came. */
function codeOf(outcome: Outcome): string {
  if (outcome.kind === 'aborted') return 'none';
  if (outcome.status > 0) return classes[Math.floor(outcome.status / 100)] ?? 'none';
  return outcome.kind === 'retry' ? outcome.reason : 'none';
}
