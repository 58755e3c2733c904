// The clusters whose lag is told: Kafkas, and this process's own broker.
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { BrokerModule } from '../broker/broker.module.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { MonitoredCluster } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { ClusterWatch } from './cluster-watch.js';

@Injectable()
export class Monitor implements OnApplicationBootstrap, OnModuleDestroy {
  readonly clusters: readonly ClusterWatch[];

  constructor(
    private readonly own: Broker,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {
    this.clusters = configWatch.settings.monitor.clusters.map((cluster) => this.watchOf(cluster));
  }

  onApplicationBootstrap(): void {
    for (const cluster of this.clusters) cluster.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.clusters.map((cluster) => cluster.close()));
  }

  private watchOf({ name, kafka }: MonitoredCluster): ClusterWatch {
    const { clock, own } = this;
    const { monitor, broker } = this.configWatch.settings;
    const report = (msg: string, fields: object) => new Logger(Monitor.name).warn({ msg, ...fields });
    const shared = { name, clock, intervalMs: monitor.intervalMs, report };
    if (kafka === null) {
      return new ClusterWatch({
        ...shared,
        open: async () => own,
        release: async () => undefined,
        expected: () => this.subscribed(),
      });
    }
    return new ClusterWatch({
      ...shared,
      open: () => BrokerModule.open({ ...broker, driver: 'kafka', kafka }, clock),
      release: (opened) => opened.close(),
      expected: () => [],
    });
  }

  /** A group that has settled nothing yet is behind by all there is. */
  private subscribed() {
    return this.configWatch.settings.subscriptions.flatMap(({ topic, groupId }) =>
      this.own.lag(groupId, topic).map((row) => ({ ...row, group: groupId })),
    );
  }
}
