// What /metrics says of the log on Kafka, beside what it says of every broker.
import type { Metrics, Shape } from '../../../stats/metrics/metrics.js';
import type { KafkaBroker } from './kafka.broker.js';

const shapes: readonly Shape[] = [
  {
    name: 'bigpipe_kafka_waiting_bytes',
    help: 'Messages on their way to Kafka',
    type: 'gauge',
    labels: [],
  },
  {
    name: 'bigpipe_kafka_retention_lost_total',
    help: "Messages that Kafka's retention took before a group had settled them",
    type: 'counter',
    labels: [],
  },
  {
    name: 'bigpipe_kafka_unreadable_total',
    help: 'Fetches that found a batch that cannot be read, behind which nothing of its partition is',
    type: 'counter',
    labels: [],
  },
  {
    name: 'bigpipe_unacknowledged_lost_total',
    help: 'Messages of acks 0 that could not be stored',
    type: 'counter',
    labels: [],
  },
];

export function registerKafka(metrics: Metrics, broker: KafkaBroker): void {
  metrics.register({
    shapes,
    read: (add) => {
      const { waitingBytes, retentionLost, unreadable, unacknowledgedLost } = broker.counters;
      add('bigpipe_kafka_waiting_bytes', waitingBytes);
      add('bigpipe_kafka_retention_lost_total', retentionLost);
      add('bigpipe_kafka_unreadable_total', unreadable);
      add('bigpipe_unacknowledged_lost_total', unacknowledgedLost);
    },
  });
}
