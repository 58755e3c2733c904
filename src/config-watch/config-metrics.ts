// What /metrics says of the settings: which version is in force, and whether the file as it is now is.
import type { Metrics } from '../stats/metrics/metrics.js';
import type { ConfigWatch } from './config-watch.js';

export function registerConfig(metrics: Metrics, configWatch: ConfigWatch): void {
  metrics.register({
    shapes: [
      {
        name: 'bigpipe_config_version',
        help: '1 at the start, and one more with each change',
        type: 'gauge',
        labels: [],
      },
      {
        name: 'bigpipe_config_loaded_timestamp_seconds',
        help: 'Unix time at which the settings in force were read',
        type: 'gauge',
        labels: [],
      },
      {
        name: 'bigpipe_config_in_error',
        help: '1 while the file as it is now is refused, or a module could not adjust to it',
        type: 'gauge',
        labels: [],
      },
      {
        name: 'bigpipe_config_reloads_total',
        help: 'Readings of the file after the first one, by what came of them',
        type: 'counter',
        labels: ['outcome'],
      },
    ],
    read: (add) => {
      const { version = 0, reloads = 0, changed = 0, refused = 0, inError = 0 } = configWatch.counters;
      add('bigpipe_config_version', version);
      add('bigpipe_config_loaded_timestamp_seconds', configWatch.loadedAtMs / 1000);
      add('bigpipe_config_in_error', inError);
      add('bigpipe_config_reloads_total', changed, 'changed');
      add('bigpipe_config_reloads_total', refused, 'refused');
      add('bigpipe_config_reloads_total', reloads - changed - refused, 'unchanged');
    },
  });
}
