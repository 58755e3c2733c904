// What /metrics says of any broker.
import type { Metrics } from '../stats/metrics/metrics.js';
import type { Broker } from './broker.js';

export function registerHealth(metrics: Metrics, broker: Broker, driver: () => string): void {
  metrics.register({
    shapes: [
      {
        name: 'bigpipe_broker_up',
        help: '1 while calls can be stored: the log is open, or Kafka answers',
        type: 'gauge',
        labels: ['driver'],
      },
    ],
    read: (add) => add('bigpipe_broker_up', broker.health().ok ? 1 : 0, driver()),
  });
}
