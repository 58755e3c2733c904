// Opens the broker that the settings name; the only file that knows the drivers.
import { Global, Logger, Module } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { BrokerSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { Broker } from './broker.js';
import { BrokerTransport } from './broker.transport.js';
import { registerHealth } from './broker-metrics.js';
import { EmbeddedBroker } from './drivers/embedded/embedded.broker.js';
import { registerLog } from './drivers/embedded/log-metrics.js';
import { SqliteStore } from './drivers/embedded/sqlite.store.js';
import { KafkaBroker } from './drivers/kafka/kafka.broker.js';
import { registerKafka } from './drivers/kafka/kafka-metrics.js';
import { MemoryBroker } from './drivers/memory/memory.broker.js';
import { Topics } from './topics.js';

function report(text: string, error: unknown): void {
  new Logger(Broker.name).error({ msg: text, err: error });
}

function tell(text: string, error: unknown): void {
  if (error === undefined) new Logger(Broker.name).warn({ msg: text });
  else report(text, error);
}

/** `told` null: its figures are told nowhere. */
function makeBroker(
  settings: BrokerSettings,
  clock: Clock,
  told: { readonly stats: Stats; readonly metrics: Metrics } | null,
): Broker {
  switch (settings.driver) {
    case 'memory':
      return new MemoryBroker({ maxBytes: settings.memory.maxBytes, clock, report });
    case 'embedded': {
      const { embedded } = settings;
      const broker = new EmbeddedBroker(new SqliteStore(embedded), { ...embedded, clock, report });
      told?.stats.register('brokerStats', () => ({ driver: 'embedded', ...broker.counters }));
      if (told !== null) registerLog(told.metrics, broker, embedded);
      return broker;
    }
    case 'kafka': {
      const broker = new KafkaBroker({ settings: settings.kafka, clock, report: tell });
      told?.stats.register('brokerStats', () => ({ driver: 'kafka', ...broker.counters }));
      if (told !== null) registerKafka(told.metrics, broker);
      return broker;
    }
  }
}

@Global()
@Module({
  providers: [
    {
      provide: Broker,
      inject: [ConfigWatch, Clock, Stats, Metrics],
      useFactory: async (configWatch: ConfigWatch, clock: Clock, stats: Stats, metrics: Metrics) => {
        const { broker: settings, topics } = configWatch.settings;
        const broker = makeBroker(settings, clock, { stats, metrics });
        registerHealth(metrics, broker, settings.driver);
        await broker.open();
        await new Topics(broker).ensure(topics);
        return broker;
      },
    },
    BrokerTransport,
    Topics,
  ],
  exports: [Broker, BrokerTransport, Topics],
})
export class BrokerModule {
  /** Another broker beside the bus's own; whoever opens it closes it. Rejects with a BigpipeError that says what to do. */
  static async open(settings: BrokerSettings, clock: Clock): Promise<Broker> {
    const broker = makeBroker(settings, clock, null);
    await broker.open();
    return broker;
  }
}
