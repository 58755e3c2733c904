// The log of another process: a worker's broker over its link, and the other end of that link.
import type { Duplex } from 'node:stream';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Clock } from '../message/clock.js';
import { Stats } from '../stats/stats.js';
import { Broker } from './broker.js';
import { type LogFacts, RemoteBroker } from './drivers/remote/remote.broker.js';
import { type Admitting, RemoteAppends } from './drivers/remote/remote-appends.js';

export type { LogFacts } from './drivers/remote/remote.broker.js';

@Global()
@Module({})
export class RemoteBrokerModule {
  static over(link: Duplex, facts: LogFacts): DynamicModule {
    const provider = {
      provide: Broker,
      inject: [Stats, Clock],
      useFactory: (stats: Stats, clock: Clock) => {
        const broker = new RemoteBroker(link, facts, clock);
        stats.register('brokerStats', () => broker.counters);
        return broker;
      },
    };
    return { module: RemoteBrokerModule, providers: [provider], exports: [Broker] };
  }
}

/** Appends to `broker` whatever `admission` lets in of what the worker at the other end of `link` hands over, until the link ends. */
export function serveAppends(
  link: Duplex,
  broker: Broker,
  admission: Admitting,
  report: (text: string, error: unknown) => void,
): void {
  new RemoteAppends(link, broker, admission, report);
}

export const factsOf = (broker: Broker): LogFacts => ({
  durabilities: { '0': broker.durability(0), '1': broker.durability(1), '-1': broker.durability(-1) },
  appendsTogether: broker.appendsTogether,
});
