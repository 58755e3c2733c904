// Opens the broker that the settings name; the only file that knows the drivers.
import { Global, Logger, Module } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { BrokerSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { Stats } from '../stats/stats.js';
import { Broker } from './broker.js';
import { BrokerTransport } from './broker.transport.js';
import { EmbeddedBroker } from './drivers/embedded/embedded.broker.js';
import { SqliteStore } from './drivers/embedded/sqlite.store.js';
import { KafkaBroker } from './drivers/kafka/kafka.broker.js';
import { MemoryBroker } from './drivers/memory/memory.broker.js';
import { Topics } from './topics.js';

function report(text: string, error: unknown): void {
  new Logger(Broker.name).error({ msg: text, err: error });
}

function tell(text: string, error: unknown): void {
  if (error === undefined) new Logger(Broker.name).warn({ msg: text });
  else report(text, error);
}

interface Made {
  readonly broker: Broker;
  readonly counters: () => object;
  /** Null: what it holds cannot be moved. */
  readonly movable: (Broker & MovableLog) | null;
}

function makeBroker(settings: BrokerSettings, clock: Clock): Made {
  switch (settings.driver) {
    case 'memory':
      return {
        broker: new MemoryBroker({ maxBytes: settings.memory.maxBytes, clock, report }),
        counters: () => ({ driver: 'memory' }),
        movable: null,
      };
    case 'embedded': {
      const { embedded } = settings;
      const broker = new EmbeddedBroker(new SqliteStore(embedded), { ...embedded, clock, report });
      return { broker, counters: () => ({ driver: 'embedded', ...broker.counters }), movable: broker };
    }
    case 'kafka': {
      const broker = new KafkaBroker({ settings: settings.kafka, clock, report: tell });
      return { broker, counters: () => ({ driver: 'kafka', ...broker.counters }), movable: null };
    }
  }
}
@Global()
@Module({
  providers: [
    {
      provide: Broker,
      inject: [ConfigWatch, Clock, Stats],
      useFactory: async (configWatch: ConfigWatch, clock: Clock, stats: Stats) => {
        const { broker: settings, topics } = configWatch.settings;
        const broker = makeBroker(settings, clock, stats);
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
export class BrokerModule {}
