// The whole program as a list of modules, in the order a message meets them, and the order in which it drains.
import { type DynamicModule, Module, type OnModuleDestroy, type Type } from '@nestjs/common';
import { APP_GUARD, HttpAdapterHost } from '@nestjs/core';
import { ThrottlerModule } from '@nestjs/throttler';
import { LoggerModule } from 'nestjs-pino';
import { AclModule } from './acl/acl.module.js';
import { Broker } from './broker/broker.js';
import { BrokerModule } from './broker/broker.module.js';
import { LogMove } from './broker/moving/log-move.js';
import { ConfigWatch } from './config-watch/config-watch.js';
import { ConfigWatchModule } from './config-watch/config-watch.module.js';
import { ConsoleModule } from './console/console.module.js';
import { Dispatcher } from './dispatcher/dispatcher.js';
import { DispatcherModule } from './dispatcher/dispatcher.module.js';
import { DrainIndicator } from './health/drain.indicator.js';
import { HealthModule } from './health/health.module.js';
import { SharedStateIndicator } from './health/shared-state.indicator.js';
import { WorkersIndicator } from './health/workers.indicator.js';
import { GrpcDoor } from './ingress/grpc/grpc-door.js';
import { IngressModule } from './ingress/ingress.module.js';
import type { ProcessLog } from './log.js';
import { ManagementModule } from './management/management.module.js';
import { Clock, pause } from './message/clock.js';
import { OwnDoors } from './own-doors.js';
import { PagesGuard, pagesLimit } from './pages.guard.js';
import { Producer } from './producer/producer.js';
import { ProducerModule } from './producer/producer.module.js';
import { Replies } from './reply/replies.js';
import { ReplyModule } from './reply/reply.module.js';
import { SharedState } from './shared-state/shared-state.js';
import { SharedStateModule } from './shared-state/shared-state.module.js';
import { Metrics } from './stats/metrics/metrics.js';
import { Stats } from './stats/stats.js';
import { StatsModule } from './stats/stats.module.js';
import { Tracing } from './stats/tracing/tracing.js';
import { TracingModule } from './stats/tracing/tracing.module.js';
import { MailboxModule } from './target/mailbox/mailbox.module.js';
import { Mailboxes } from './target/mailbox/mailboxes.js';
import { OtherNodes } from './target/mailbox/other-nodes.js';
import { TransactionModule } from './transaction/transaction.module.js';
import { Transactions } from './transaction/transactions.js';
import { answerHanded } from './workers/answer-handed.js';
import { Doors } from './workers/doors.js';
import { acceptHanded } from './workers/hand-keyed.js';
import { Workers } from './workers/workers.js';

export interface AppParts {
  readonly configWatch: ConfigWatch;
  readonly clock: Clock;
  readonly environment: DynamicModule;
  readonly log: ProcessLog;
  readonly tracing: Tracing;
  /** The door over gRPC, open or not. */
  readonly grpc: Type;
}

@Module({})
export class AppModule implements OnModuleDestroy {
  constructor(
    private readonly doors: Doors,
    private readonly grpcDoor: GrpcDoor,
    private readonly drainIndicator: DrainIndicator,
    private readonly transactions: Transactions,
    private readonly producer: Producer,
    private readonly dispatcher: Dispatcher,
    private readonly move: LogMove,
    private readonly broker: Broker,
    private readonly replies: Replies,
    private readonly mailboxes: Mailboxes,
    private readonly otherNodes: OtherNodes,
    private readonly sharedState: SharedState,
    private readonly tracing: Tracing,
    sharedStateIndicator: SharedStateIndicator,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {
    sharedStateIndicator.watch(() => sharedState.health());
  }

  static of({ configWatch, clock, environment, log, tracing, grpc }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        LoggerModule.forRoot(log.params),
        ThrottlerModule.forRoot(pagesLimit(clock)),
        ConfigWatchModule.holding(configWatch, clock, environment),
        StatsModule,
        TracingModule.of(tracing),
        IngressModule,
        grpc,
        AclModule,
        ProducerModule,
        TransactionModule,
        BrokerModule,
        DispatcherModule,
        MailboxModule,
        ReplyModule,
        SharedStateModule,
        HealthModule,
        ManagementModule,
        ConsoleModule,
      ],
      providers: [
        { provide: APP_GUARD, useClass: PagesGuard },
        {
          provide: Doors,
          inject: [HttpAdapterHost, Broker, Producer, Stats, Metrics, WorkersIndicator],
          useFactory: (
            adapterHost: HttpAdapterHost,
            broker: Broker,
            producer: Producer,
            stats: Stats,
            metrics: Metrics,
            indicator: WorkersIndicator,
          ) => {
            const count = configWatch.settings.server.workers;
            const own = new OwnDoors(adapterHost, configWatch, clock);
            if (count === 0) return own;
            const line = (row: string) => log.pass(row);
            const answerers = { handed: answerHanded(adapterHost), keyed: acceptHanded(producer) };
            const workers = new Workers({
              count,
              broker,
              producer,
              listener: own.shared,
              stats,
              metrics,
              configWatch,
              clock,
              line,
              answerers,
            });
            indicator.watch(() => workers.view, workers.takesCallsItself);
            return workers;
          },
        },
      ],
    };
  }

  /** The data's way, each step over before the next begins: what was answered is stored, what is in flight is committed. */
  async onModuleDestroy(): Promise<void> {
    this.drainIndicator.drain();
    this.grpcDoor.retire();
    const { stopDelayMs } = this.configWatch.settings.server;
    // Who shares out the calls sees that this one is not ready before it refuses any.
    if (stopDelayMs > 0) await pause(this.clock, stopDelayMs);
    // Who waits for an answer is told that it takes longer.
    this.replies.close();
    this.mailboxes.stopWaiting();
    await Promise.all([this.doors.close(), this.grpcDoor.close()]);
    this.otherNodes.close();
    await this.transactions.drain();
    await this.producer.drain();
    await this.move.close();
    await this.dispatcher.drain();
    await this.broker.close();
    await this.sharedState.close();
    await this.tracing.close();
  }
}
