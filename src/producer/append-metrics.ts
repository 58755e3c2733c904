// What /metrics says of the way from an accepted message to an acknowledged append.
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { Histogram } from '../stats/metrics/histogram.js';
import type { Metrics } from '../stats/metrics/metrics.js';

/** Of one topic. */
export interface TopicCounters {
  deliveryFail: number;
  deliverySuccess: number;
}

/** Returns what the times of appends are to be told to. */
export function registerProducer(metrics: Metrics, configWatch: ConfigWatch): Histogram {
  metrics.register({
    shapes: [
      {
        name: 'bigpipe_appended_messages_total',
        help: 'Messages handed to the broker, by whether it stored them',
        type: 'counter',
        labels: ['topic', 'outcome'],
      },
      {
        name: 'bigpipe_memory_budget_bytes',
        help: 'The most that may be kept in memory',
        type: 'gauge',
        labels: ['use'],
      },
    ],
    read: (add, { producerStats = {} }) => {
      for (const [topic, counters] of Object.entries(producerStats as Record<string, TopicCounters>)) {
        add('bigpipe_appended_messages_total', counters.deliverySuccess, topic, 'stored');
        add('bigpipe_appended_messages_total', counters.deliveryFail, topic, 'failed');
      }
      const { producer, broker } = configWatch.settings;
      add('bigpipe_memory_budget_bytes', producer.maxWaitingBytes, 'waiting calls');
      if (broker.driver === 'embedded')
        add('bigpipe_memory_budget_bytes', broker.embedded.tailBytes, 'newest messages');
    },
  });
  const help = "From a message that is counted in to the broker's acknowledgement at the level asked for";
  return metrics.histogram('bigpipe_append_duration_seconds', help).of();
}
