// Opens the shared state that the settings name; the only file that knows the drivers.
import { Logger, Module } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { RedisSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { MemorySharedState } from './drivers/memory/memory.shared-state.js';
import { SharedState } from './shared-state.js';

/** What a single node keeps in memory for callers that come back. */
const memoryBytes = 67_108_864;

function report(text: string, error: unknown): void {
  const log = new Logger(SharedState.name);
  if (error === undefined) log.log({ msg: text });
  else log.warn({ msg: text, err: error });
}

async function make({ url, prefix }: RedisSettings, clock: Clock, metrics: Metrics): Promise<SharedState> {
  if (url === null) return new MemorySharedState({ clock, maxBytes: memoryBytes });
  // Only where it is needed: the client takes memory of its own.
  const { RedisSharedState } = await import('./drivers/redis/redis.shared-state.js');
  const counters = {
    lost: metrics.counter('bigpipe_shared_state_losses_total', 'Times that Redis was lost').of(),
    alone: metrics.counter('bigpipe_shared_state_fallbacks_total', 'Times that this node had to do without Redis').of(),
  };
  const count = (what: keyof typeof counters) => {
    counters[what].value += 1;
  };
  const state = new RedisSharedState({ url, prefix, clock, report, count });
  metrics.register({
    shapes: [{ name: 'bigpipe_shared_state_up', help: '1 while Redis answers', type: 'gauge', labels: [] }],
    read: (add) => add('bigpipe_shared_state_up', state.health().ok ? 1 : 0),
  });
  return state;
}

@Module({
  providers: [
    {
      provide: SharedState,
      inject: [ConfigWatch, Clock, Stats, Metrics],
      useFactory: async (configWatch: ConfigWatch, clock: Clock, stats: Stats, metrics: Metrics) => {
        const state = await make(configWatch.settings.redis, clock, metrics);
        stats.register('sharedStateStats', () => ({ scope: state.scope, ...state.health() }));
        await state.open();
        return state;
      },
    },
  ],
  exports: [SharedState],
})
export class SharedStateModule {}
