// The gauges of all subscriptions for /metrics, read when somebody asks.
import type { Broker } from '../../broker/broker.js';
import type { Clock } from '../../message/clock.js';
import type { Steps } from '../../message/steps.js';
import type { AddSample, Metrics, Shape } from '../../stats/metrics/metrics.js';
import type { GroupRunner } from '../group-runner.js';

const own = ['topic', 'group'];
const ofDestination = [...own, 'destination'];

const gauge = (name: string, labels: readonly string[], help: string): Shape => ({ name, help, type: 'gauge', labels });

const shapes: readonly Shape[] = [
  gauge('bigpipe_backlog_messages', [...own, 'reason'], 'Messages that are not delivered, by why they wait'),
  gauge(
    'bigpipe_oldest_message_age_seconds',
    own,
    'How long the oldest message has been wanted that waits for nothing but its turn; 0 for none',
  ),
  gauge(
    'bigpipe_drain_seconds',
    own,
    'Until what is ready or throttled is delivered at the pace of the last seconds; +Inf when none is',
  ),
  gauge('bigpipe_inflight_requests', own, 'Attempts under way'),
  gauge(
    'bigpipe_concurrency_limit',
    ofDestination,
    'Attempts that may be under way; the least of those that share the label',
  ),
  gauge(
    'bigpipe_retry_budget_ratio',
    ofDestination,
    'Of the retries that the budget allows, those made; the highest of the label',
  ),
  gauge('bigpipe_circuit_state', [...ofDestination, 'state'], 'Destinations whose circuit is in the state'),
  gauge(
    'bigpipe_recovery_ratio',
    ofDestination,
    'Of the full rate, what the circuit lets through; the least of the label',
  ),
  gauge('bigpipe_dlq_messages', own, 'Dead letters that are neither purged nor sent again'),
  gauge('bigpipe_parked_keys', own, 'Keys whose messages go to the dead letters until they are sent again'),
  gauge(
    'kafka_consumergroup_lag',
    ['consumergroup', 'topic', 'partition'],
    'Messages between the group’s mark and the end of the partition',
  ),
];

/** Of more partitions than these in all, a group has one row for a topic, under the partition "all". */
const maxPartitionRows = 2048;
const allPartitions = 'all';

export interface GaugeParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly runners: () => readonly GroupRunner[];
}

export function registerGauges(metrics: Metrics, parts: GaugeParts): void {
  metrics.register({
    shapes,
    read: async (add, _sections, steps) => {
      for await (const runner of steps.through(parts.runners())) readRunner(add, runner, parts.clock);
      await readLags(add, parts, steps);
    },
  });
}

function readRunner(add: AddSample, { subscription, view, letters }: GroupRunner, clock: Clock): void {
  const place = [subscription.topic, subscription.groupId] as const;
  const { backlog, inFlight, oldestReadyMs, drainSeconds, byLabel } = view.figures();
  for (const [reason, count] of Object.entries(backlog)) add('bigpipe_backlog_messages', count, ...place, reason);
  const ageMs = oldestReadyMs === null ? 0 : Math.max(0, clock.now() - oldestReadyMs);
  add('bigpipe_oldest_message_age_seconds', ageMs / 1000, ...place);
  add('bigpipe_drain_seconds', drainSeconds, ...place);
  add('bigpipe_inflight_requests', inFlight, ...place);
  add('bigpipe_concurrency_limit', subscription.concurrency.max, ...place, '');
  for (const [label, { circuits, admittedShare, budgetUsed, concurrencyLimit }] of byLabel) {
    for (const [state, count] of Object.entries(circuits)) add('bigpipe_circuit_state', count, ...place, label, state);
    add('bigpipe_recovery_ratio', admittedShare, ...place, label);
    add('bigpipe_retry_budget_ratio', budgetUsed, ...place, label);
    if (concurrencyLimit !== null) add('bigpipe_concurrency_limit', concurrencyLimit, ...place, label);
  }
  const open = letters.box?.counts().reduce((sum, count) => sum + Number(count.open), 0) ?? 0;
  add('bigpipe_dlq_messages', open, ...place);
  add('bigpipe_parked_keys', letters.parkedCount, ...place);
}

/** Under the name that exporters for Kafka use, so that what looks at those finds it here too. */
async function readLags(add: AddSample, { broker, runners }: GaugeParts, steps: Steps): Promise<void> {
  let rows = 0;
  for await (const { subscription } of steps.through(runners())) {
    const { topic, groupId } = subscription;
    const lags = broker.lag(groupId, topic);
    rows += lags.length;
    if (rows > maxPartitionRows) {
      const total = lags.reduce((sum, { lag }) => sum + Number(lag), 0);
      add('kafka_consumergroup_lag', total, groupId, topic, allPartitions);
    } else
      for (const { partition, lag } of lags)
        add('kafka_consumergroup_lag', Number(lag), groupId, topic, `${partition}`);
  }
}
