// Opens the broker that the settings name; the only file that knows the drivers.
import { Global, Logger, Module } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { BrokerSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import { ThisNode } from '../message/this-node.js';
import { SharedState } from '../shared-state/shared-state.js';
import { SharedStateModule } from '../shared-state/shared-state.module.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { Broker } from './broker.js';
import { BrokerTransport } from './broker.transport.js';
import { registerHealth } from './broker-metrics.js';
import { EmbeddedBroker } from './drivers/embedded/embedded.broker.js';
import { registerLog } from './drivers/embedded/log-metrics.js';
import { SqliteStore } from './drivers/embedded/sqlite.store.js';
import { MemoryBroker } from './drivers/memory/memory.broker.js';
import { LogMove } from './moving/log-move.js';
import { MovableBroker } from './moving/movable.broker.js';
import type { MovableLog } from './moving/movable-log.js';
import { SharedOffsetStore } from './shared-offset-store.js';
import { Topics } from './topics.js';

function report(text: string, error: unknown): void {
  new Logger(Broker.name).error({ msg: text, err: error });
}

function tell(text: string, error: unknown): void {
  if (error === undefined) new Logger(Broker.name).warn({ msg: text });
  else report(text, error);
}

interface Made {
  readonly driver: BrokerSettings['driver'];
  readonly broker: Broker;
  /** For /stats; null: nothing is told. */
  readonly counters: (() => object) | null;
  /** Tells what this driver measures beside it. */
  readonly measure: (metrics: Metrics) => void;
  /** Null: what it holds cannot be moved. */
  readonly movable: (Broker & MovableLog) | null;
}

/** `state` null: marks are kept by the broker alone. `node` null: nobody is told which process this is. */
async function makeBroker(
  settings: BrokerSettings,
  clock: Clock,
  state: SharedState | null,
  node: ThisNode | null,
): Promise<Made> {
  switch (settings.driver) {
    case 'memory': {
      const broker = new MemoryBroker({ maxBytes: settings.memory.maxBytes, clock, report });
      return { driver: settings.driver, broker, counters: null, measure: () => undefined, movable: null };
    }
    case 'embedded': {
      const { embedded } = settings;
      const broker = new EmbeddedBroker(new SqliteStore(embedded), { ...embedded, clock, report });
      return {
        driver: settings.driver,
        broker,
        counters: () => ({ driver: 'embedded', ...broker.counters }),
        measure: (metrics) => registerLog(metrics, broker, embedded),
        movable: broker,
      };
    }
    case 'kafka': {
      // Only where it is needed: the client takes memory of its own.
      const { KafkaBroker } = await import('./drivers/kafka/kafka.broker.js');
      const { registerKafka } = await import('./drivers/kafka/kafka-metrics.js');
      const isKeptTwice = settings.kafka.offsetStore === 'redis' && state !== null;
      const second = isKeptTwice ? { offsetStore: new SharedOffsetStore(state) } : {};
      const broker = new KafkaBroker({ settings: settings.kafka, clock, node, report: tell, ...second });
      return {
        driver: settings.driver,
        broker,
        counters: () => ({ driver: 'kafka', ...broker.counters }),
        measure: (metrics) => registerKafka(metrics, broker),
        movable: null,
      };
    }
  }
}

/** Of the bus's own log, which may move while the program runs. */
async function openOwn(
  configWatch: ConfigWatch,
  clock: Clock,
  stats: Stats,
  metrics: Metrics,
  state: SharedState,
  node: ThisNode,
): Promise<LogMove> {
  const made = await makeBroker(configWatch.settings.broker, clock, state, node);
  let { driver, counters } = made;
  if (counters !== null) stats.register('brokerStats', () => counters?.() ?? {});
  made.measure(metrics);
  const broker = new MovableBroker(made.broker, clock, report);
  registerHealth(metrics, broker, () => driver);
  const kafkaAt = (asked: readonly string[]) => {
    const { broker: settings } = configWatch.settings;
    const { kafka } = settings;
    const servers = asked.length === 0 ? kafka.servers : asked;
    if (servers.length === 0)
      throw new BigpipeError('unavailable', 'neither servers nor kafka.bootstrap.servers are named');
    // The original's form has no place for what a log's own topics say, and chooses other partitions.
    if (kafka.format !== 'bigpipe')
      throw new BigpipeError('unavailable', 'a log is moved in the form "bigpipe" only: kafka.message.format');
    let there = made;
    const make = async () => {
      there = await makeBroker({ ...settings, driver: 'kafka', kafka: { ...kafka, servers } }, clock, state, node);
      return there.broker;
    };
    const moved = () => {
      // What this driver alone measures is told from the next start on: some of it has the names of the other one's.
      ({ driver, counters } = there);
    };
    return { make, servers, moved };
  };
  return new LogMove({ broker, source: made.movable, kafkaAt, clock });
}

@Global()
@Module({
  imports: [SharedStateModule],
  providers: [
    {
      provide: LogMove,
      inject: [ConfigWatch, Clock, Stats, Metrics, SharedState, ThisNode],
      useFactory: openOwn,
    },
    {
      provide: Broker,
      inject: [LogMove, ConfigWatch],
      useFactory: async ({ broker }: LogMove, configWatch: ConfigWatch) => {
        await broker.open();
        await new Topics(broker).ensure(configWatch.settings.topics);
        return broker;
      },
    },
    BrokerTransport,
    Topics,
  ],
  exports: [Broker, BrokerTransport, LogMove, Topics],
})
export class BrokerModule {
  /** Another broker beside the bus's own; whoever opens it closes it. Rejects with a BigpipeError that says what to do. */
  static async open(settings: BrokerSettings, clock: Clock): Promise<Broker> {
    const { broker } = await makeBroker(settings, clock, null, null);
    await broker.open();
    return broker;
  }
}
