// The sections of all subscriptions for /stats, read when somebody asks.
import type { Steps } from '../../message/steps.js';
import type { Stats } from '../../stats/stats.js';
import type { GroupRunner } from '../group-runner.js';
import type { ClientCounters, ConsumerCounters } from '../subscription-counters.js';

export interface StatsParts {
  readonly runners: () => readonly GroupRunner[];
  /** By topic. */
  readonly clients: ReadonlyMap<string, ClientCounters>;
  readonly consumers: ReadonlyMap<string, ConsumerCounters>;
  /** How many messages of a topic no subscription wanted. */
  readonly unmatchedOf: (topic: string) => number;
}

export function registerStats(stats: Stats, parts: StatsParts): void {
  stats.register('clientStats', (steps) => clientStats(parts, steps));
  stats.register('consumerStats', () => [...parts.consumers.values()]);
  stats.register('subscriptionStats', (steps) => subscriptionStats(parts, steps));
}

/** One topic's groups together, as in the original; broken when the circuit of any destination is open. */
async function clientStats({ runners, clients, unmatchedOf }: StatsParts, steps: Steps): Promise<object> {
  const open = new Set<string>();
  for await (const { subscription, view } of steps.through(runners())) {
    if (view.troubled().some(({ states }) => states.some(({ state }) => state === 'open')))
      open.add(subscription.topic);
  }
  for (const [topic, counters] of clients) {
    counters.circuitIsBreak = open.has(topic) ? 1 : 0;
    counters.unmatched = unmatchedOf(topic);
  }
  return Object.fromEntries(clients);
}

async function subscriptionStats({ runners }: StatsParts, steps: Steps): Promise<object> {
  const rows: object[] = [];
  for await (const { subscription, view } of steps.through(runners())) {
    const { topic, groupId } = subscription;
    rows.push({ topic, groupId, backlog: view.backlog(), destinations: view.troubled() });
  }
  return rows;
}
