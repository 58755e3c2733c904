// Counters that everyone bumps, and the pages that show them.
import { Global, Module } from '@nestjs/common';
import { version } from '../message/version.js';
import { Exposition } from './metrics/exposition.js';
import { Metrics, metricsSection } from './metrics/metrics.js';
import { MetricsController } from './metrics.controller.js';
import { StatsController } from './stats.controller.js';
import { Stats } from './stats.js';

/** What may be counted, in every process of the program. */
@Global()
@Module({ providers: [Stats, Metrics], exports: [Stats, Metrics] })
export class CountersModule {
  constructor(stats: Stats, metrics: Metrics) {
    stats.register(metricsSection, (steps) => metrics.snapshot(steps));
  }
}

@Module({
  imports: [CountersModule],
  controllers: [StatsController, MetricsController],
  providers: [{ provide: Exposition, inject: [Metrics], useFactory: (metrics: Metrics) => new Exposition(metrics) }],
})
export class StatsModule {
  constructor(metrics: Metrics) {
    metrics.register({
      shapes: [{ name: 'bigpipe_build_info', help: 'What runs here', type: 'gauge', labels: ['version', 'node'] }],
      read: (add) => add('bigpipe_build_info', 1, version, process.versions.node),
    });
  }
}
