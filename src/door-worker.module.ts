// A worker: the accepting half of the program over a broker that is the main process's.
import type { Duplex } from 'node:stream';
import { type DynamicModule, Module } from '@nestjs/common';
import { LoggerModule, type Params } from 'nestjs-pino';
import { AclModule } from './acl/acl.module.js';
import { type LogFacts, RemoteBrokerModule } from './broker/remote.module.js';
import type { ConfigWatch } from './config-watch/config-watch.js';
import { ConfigWatchModule } from './config-watch/config-watch.module.js';
import { CommitDoor } from './ingress/commit/commit.door.js';
import { IngestMeterModule } from './ingress/ingest-meter.module.js';
import { BatchDoor } from './ingress/messages/batch.door.js';
import { MessagesDoor } from './ingress/messages/messages.door.js';
import { ResultCache } from './ingress/result-cache.js';
import { MockDoor } from './ingress/rpc/mock.door.js';
import { RpcDoor } from './ingress/rpc/rpc.door.js';
import { WaitingRoom } from './ingress/waiting-caller.js';
import type { Clock } from './message/clock.js';
import { ProducerModule } from './producer/producer.module.js';
import { ReplyModule } from './reply/reply.module.js';
import { CountersModule } from './stats/stats.module.js';
import type { Tracing } from './stats/tracing/tracing.js';
import { TracingModule } from './stats/tracing/tracing.module.js';
import { ControlChannel } from './workers/control-channel.js';
import { HandingDoor } from './workers/handing.door.js';
import { HandingPullDoor } from './workers/handing-pull.door.js';

export interface DoorWorkerParts {
  readonly configWatch: ConfigWatch;
  readonly clock: Clock;
  readonly environment: DynamicModule;
  readonly log: Params;
  readonly tracing: Tracing;
  readonly link: Duplex;
  readonly facts: LogFacts;
  readonly channel: ControlChannel;
}

/** The doors that need no more of the log than to append; the requests of all others are handed over. */
@Module({
  imports: [AclModule, IngestMeterModule, ProducerModule, ReplyModule],
  providers: [BatchDoor, CommitDoor, MessagesDoor, MockDoor, ResultCache, RpcDoor, WaitingRoom],
})
class DoorsModule {}

@Module({})
export class DoorWorkerModule {
  static of(parts: DoorWorkerParts): DynamicModule {
    return {
      module: DoorWorkerModule,
      imports: [
        LoggerModule.forRoot(parts.log),
        ConfigWatchModule.holding(parts.configWatch, parts.clock, parts.environment),
        CountersModule,
        TracingModule.of(parts.tracing),
        DoorsModule,
        AclModule,
        ProducerModule,
        RemoteBrokerModule.over(parts.link, parts.facts),
      ],
      // Behind all doors: what none of them takes.
      providers: [HandingPullDoor, HandingDoor, { provide: ControlChannel, useValue: parts.channel }],
    };
  }
}
