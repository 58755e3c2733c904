// Gives every module the settings in force, the environment they were read with, the clock, and which node this is.
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Clock } from '../message/clock.js';
import { ThisNode } from '../message/this-node.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { addressOf } from './cluster-settings.js';
import { registerConfig } from './config-metrics.js';
import { ConfigWatch } from './config-watch.js';

@Global()
@Module({})
export class ConfigWatchModule {
  constructor(configWatch: ConfigWatch, stats: Stats, metrics: Metrics) {
    stats.register('configStats', () => configWatch.counters);
    registerConfig(metrics, configWatch);
  }

  static holding(configWatch: ConfigWatch, clock: Clock, environment: DynamicModule): DynamicModule {
    const { settings } = configWatch;
    const node = new ThisNode(addressOf(settings, settings.server.port));
    return {
      module: ConfigWatchModule,
      imports: [environment],
      providers: [
        { provide: ConfigWatch, useValue: configWatch },
        { provide: Clock, useValue: clock },
        { provide: ThisNode, useValue: node },
      ],
      exports: [ConfigWatch, Clock, ThisNode],
    };
  }
}
