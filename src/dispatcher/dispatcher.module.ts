// The half that delivers: from the broker through the gates to the targets.
import { Module } from '@nestjs/common';
import { CircuitBreakerModule } from '../circuit-breaker/circuit-breaker.module.js';
import { PolicyModule } from '../policy/policy.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { SubscriptionModule } from '../subscription/subscription.module.js';
import { MailboxModule } from '../target/mailbox/mailbox.module.js';
import { TargetModule } from '../target/target.module.js';
import { TrackingModule } from '../tracking/tracking.module.js';
import { ConsentPolicy } from './consent/consent.policy.js';
import { Consents } from './consent/consents.js';
import { ControlLog } from './control-log.js';
import { DispatcherController } from './dispatcher.controller.js';
import { Dispatcher } from './dispatcher.js';
import { Gates } from './gates.js';
import { DemandPolicy } from './sending/demand.policy.js';

@Module({
  imports: [
    CircuitBreakerModule,
    MailboxModule,
    PolicyModule,
    ReplyModule,
    SubscriptionModule,
    TargetModule,
    TrackingModule,
  ],
  controllers: [DispatcherController],
  providers: [ConsentPolicy, Consents, ControlLog, DemandPolicy, Dispatcher, Gates],
  exports: [ControlLog, Dispatcher],
})
export class DispatcherModule {}
