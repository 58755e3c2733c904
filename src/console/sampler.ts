// One look at everything that the page shows live.
import { cpuUsage, memoryUsage, uptime } from 'node:process';
import { Injectable } from '@nestjs/common';
import { Broker, type BrokerHealth } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { ControlLog } from '../dispatcher/control-log.js';
import type { RedriveReport } from '../dispatcher/dead-letters/redrive.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { GroupRunner } from '../dispatcher/group-runner.js';
import type { FailureRow } from '../dispatcher/view/attempt-watch.js';
import { type BacklogCounts, emptyCounts } from '../dispatcher/view/backlog.js';
import type { ListedDestination } from '../dispatcher/view/destination-list.js';
import { Clock } from '../message/clock.js';
import type { Steps } from '../message/steps.js';
import { Rates } from './rates.js';

/** On the page's first view. */
const maxTroubled = 20;
const maxFailures = 100;
/** Of all subscriptions together; who looks for another one names it. */
const maxDestinations = 2000;

/** Milliseconds; null when nothing ended of late. */
interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface PlacedDestination extends ListedDestination {
  readonly topic: string;
  readonly groupId: string;
}

export interface SubscriptionSample {
  readonly topic: string;
  readonly groupId: string;
  readonly limits: Readonly<Record<string, unknown>>;
  readonly paused: readonly { readonly destination: string | null; readonly since: string }[];
  readonly lag: number;
  readonly backlog: BacklogCounts;
  readonly arrivedPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly failedPerSecond: number;
  readonly delivery: Latency;
  readonly attempt: Latency;
  readonly destinations: { readonly total: number; readonly open: number; readonly recovering: number };
  /** Null where none are kept. */
  readonly deadLetters: number | null;
  readonly redrive: RedriveReport | null;
}

export interface Sample {
  readonly at: number;
  readonly process: Readonly<Record<string, number | string>>;
  readonly broker: BrokerHealth;
  readonly config: Readonly<Record<string, unknown>>;
  readonly subscriptions: readonly SubscriptionSample[];
  readonly troubled: readonly PlacedDestination[];
  readonly failures: readonly FailureRow[];
  /** Of all subscriptions. */
  readonly total: Totals;
}

export interface Totals {
  readonly arrivedPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly failedPerSecond: number;
  /** Of the subscription in which it is longest. */
  readonly delivery: Latency;
  readonly attempt: Latency;
  readonly backlog: BacklogCounts;
  readonly deadLetters: number;
}

@Injectable()
export class Sampler {
  private readonly rates: Rates;

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly controlLog: ControlLog,
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {
    this.rates = new Rates(clock.elapsedMs());
  }

  /** Rates are over the time since the sample before; there is one at a time. */
  async sample(steps: Steps): Promise<Sample> {
    this.rates.begin(this.clock.elapsedMs());
    const troubled: PlacedDestination[] = [];
    const arrived = new Map<string, number>();
    const subscriptions: SubscriptionSample[] = [];
    for await (const runner of steps.through(this.dispatcher.subscriptions))
      subscriptions.push(this.sampleOf(runner, troubled, arrived));
    const failures = this.dispatcher.attempts.failures(maxFailures);
    const total = totalsOf(
      subscriptions,
      [...arrived.values()].reduce((sum, rate) => sum + rate, 0),
    );
    const at = this.clock.now();
    const { version, loadedAtMs, lastError, pendingRestart } = this.configWatch;
    const config = {
      version,
      loadedAt: new Date(loadedAtMs).toISOString(),
      lastError:
        lastError === null ? null : { since: new Date(lastError.sinceMs).toISOString(), faults: lastError.faults },
      pendingRestart: pendingRestart.length,
    };
    const process = this.processFigures();
    const broker = this.broker.health();
    this.rates.end();
    return { at, process, broker, config, subscriptions, troubled: troubled.slice(0, maxTroubled), failures, total };
  }

  /** `match`: part of a destination's name. */
  async destinations(match: string, steps: Steps): Promise<{ total: number; rows: PlacedDestination[] }> {
    let total = 0;
    const rows: PlacedDestination[] = [];
    const { subscriptions } = this.dispatcher;
    for await (const { subscription, view } of steps.through(subscriptions)) {
      const { topic, groupId } = subscription;
      const list = view.destinations(match.toLowerCase(), maxDestinations);
      total += list.total;
      for (const row of list.rows) rows.push({ topic, groupId, ...row });
    }
    if (subscriptions.length > 1) rows.sort(troubleFirst);
    return { total, rows: rows.slice(0, maxDestinations) };
  }

  private sampleOf(
    runner: GroupRunner,
    troubled: PlacedDestination[],
    arrived: Map<string, number>,
  ): SubscriptionSample {
    const { topic, groupId } = runner.subscription;
    const name = `${topic} ${groupId}`;
    const { rows, total, open, recovering } = runner.view.destinations('', maxTroubled);
    for (const row of rows) if (row.states.length > 0) troubled.push({ topic, groupId, ...row });
    const lags = this.broker.lag(groupId, topic);
    const end = lags.reduce((sum, { highWatermark }) => sum + Number(highWatermark), 0);
    const arrivedPerSecond = this.rates.of(`arrived ${name}`, end);
    arrived.set(topic, arrivedPerSecond);
    const pace = this.dispatcher.attempts.paceOf(topic, groupId);
    const nowMs = this.clock.elapsedMs();
    const { box, redrive } = runner.letters;
    return {
      topic,
      groupId,
      limits: limitsOf(runner),
      paused: this.controlLog
        .pausedOf(topic, groupId)
        .map(({ destination, sinceMs }) => ({ destination, since: new Date(sinceMs).toISOString() })),
      lag: lags.reduce((sum, { lag }) => sum + Number(lag), 0),
      backlog: runner.view.backlog(),
      arrivedPerSecond,
      deliveredPerSecond: this.rates.of(`delivered ${name}`, pace.delivered),
      failedPerSecond: this.rates.of(`failed ${name}`, pace.failed),
      delivery: latencyOf(pace.deliveries.quantiles([0.5, 0.99], nowMs)),
      attempt: latencyOf(pace.attempts.quantiles([0.5, 0.99], nowMs)),
      destinations: { total, open, recovering },
      deadLetters: box === null ? null : box.counts().reduce((sum, row) => sum + Number(row.open), 0),
      redrive: redrive?.report ?? null,
    };
  }

  private processFigures(): Sample['process'] {
    const { user, system } = cpuUsage();
    return {
      pid: process.pid,
      driver: this.configWatch.settings.broker.driver,
      uptimeSeconds: Math.round(uptime()),
      /** Of one processor. */
      cpuShare: this.rates.of('cpu', user + system) / 1_000_000,
      rssBytes: memoryUsage.rss(),
    };
  }
}

function limitsOf({ subscription }: GroupRunner): Readonly<Record<string, unknown>> {
  const { rate, concurrency, timeoutMs, retries, ordering, poison, circuit, warmupMs, destination, deadLetterTopic } =
    subscription;
  return { rate, concurrency, timeoutMs, retries, ordering, poison, circuit, warmupMs, destination, deadLetterTopic };
}

const latencyOf = ([p50 = null, p99 = null]: readonly (number | null)[]): Latency => ({
  p50: p50 === null ? null : Math.round(p50),
  p99: p99 === null ? null : Math.round(p99),
});

function totalsOf(rows: readonly SubscriptionSample[], arrivedPerSecond: number): Totals {
  const sum = (of: (row: SubscriptionSample) => number) => rows.reduce((total, row) => total + of(row), 0);
  const backlog = emptyCounts();
  for (const row of rows) {
    for (const reason of Object.keys(backlog) as (keyof BacklogCounts)[]) backlog[reason] += row.backlog[reason];
  }
  return {
    arrivedPerSecond,
    deliveredPerSecond: sum((row) => row.deliveredPerSecond),
    failedPerSecond: sum((row) => row.failedPerSecond),
    delivery: longest(rows.map(({ delivery }) => delivery)),
    attempt: longest(rows.map(({ attempt }) => attempt)),
    backlog,
    deadLetters: sum((row) => row.deadLetters ?? 0),
  };
}

const longest = (rows: readonly Latency[]): Latency => ({
  p50: most(rows.map(({ p50 }) => p50)),
  p99: most(rows.map(({ p99 }) => p99)),
});

function most(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

const isTroubled = ({ states }: PlacedDestination) => (states.length > 0 ? 1 : 0);
const troubleFirst = (a: PlacedDestination, b: PlacedDestination) =>
  isTroubled(b) - isTroubled(a) || b.pending - a.pending;
