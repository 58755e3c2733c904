// The operator's door, on its own port.
import { Module } from '@nestjs/common';
import { DispatcherModule } from '../dispatcher/dispatcher.module.js';
import { MonitorModule } from '../monitor/monitor.module.js';
import { SubscriptionModule } from '../subscription/subscription.module.js';
import { TrackingModule } from '../tracking/tracking.module.js';
import { TransactionModule } from '../transaction/transaction.module.js';
import { AttemptsController } from './attempts.controller.js';
import { BrokerController } from './broker.controller.js';
import { ConfigController } from './config.controller.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { DelayController } from './delay.controller.js';
import { ExplainController } from './explain.controller.js';
import { MigrationController } from './migration.controller.js';
import { OffsetsController } from './offsets.controller.js';
import { RegistrationsController } from './registrations.controller.js';
import { SubscriptionsController } from './subscriptions.controller.js';
import { TopicsController } from './topics.controller.js';
import { TransactionsController } from './transactions.controller.js';

@Module({
  imports: [DispatcherModule, MonitorModule, SubscriptionModule, TrackingModule, TransactionModule],
  controllers: [
    AttemptsController,
    BrokerController,
    ConfigController,
    DeadLettersController,
    DelayController,
    ExplainController,
    MigrationController,
    OffsetsController,
    SubscriptionsController,
    RegistrationsController,
    TopicsController,
    TransactionsController,
  ],
})
export class ManagementModule {}
