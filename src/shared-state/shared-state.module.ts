// Opens the shared state that the settings name; the only file that knows the drivers.
import { Logger, Module } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { RedisSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { Stats } from '../stats/stats.js';
import { MemorySharedState } from './drivers/memory/memory.shared-state.js';
import { RedisSharedState } from './drivers/redis/redis.shared-state.js';
import { SharedState } from './shared-state.js';

/** What a single node keeps in memory for callers that come back. */
const memoryBytes = 67_108_864;

function report(text: string, error: unknown): void {
  const log = new Logger(SharedState.name);
  if (error === undefined) log.log({ msg: text });
  else log.warn({ msg: text, err: error });
}

function make({ url, prefix }: RedisSettings, clock: Clock): SharedState {
  if (url === null) return new MemorySharedState({ clock, maxBytes: memoryBytes });
  return new RedisSharedState({ url, prefix, clock, report });
}

@Module({
  providers: [
    {
      provide: SharedState,
      inject: [ConfigWatch, Clock, Stats],
      useFactory: async (configWatch: ConfigWatch, clock: Clock, stats: Stats) => {
        const state = make(configWatch.settings.redis, clock);
        stats.register('sharedStateStats', () => ({ scope: state.scope, ...state.health() }));
        await state.open();
        return state;
      },
    },
  ],
  exports: [SharedState],
})
export class SharedStateModule {}
