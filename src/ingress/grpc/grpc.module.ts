// The door over gRPC: one controller for each group of methods.
import { Global, Module } from '@nestjs/common';
import { AclModule } from '../../acl/acl.module.js';
import { ProducerModule } from '../../producer/producer.module.js';
import { ReplyModule } from '../../reply/reply.module.js';
import { MailboxModule } from '../../target/mailbox/mailbox.module.js';
import { TransactionModule } from '../../transaction/transaction.module.js';
import { IngestMeterModule } from '../ingest-meter.module.js';
import { PullRoom } from '../pull/pull-room.js';
import { CallController } from './call.controller.js';
import { Closing } from './closing.js';
import { GrpcListener } from './grpc.listener.js';
import { GrpcCaller } from './grpc-caller.js';
import { GrpcCounters } from './grpc-counters.js';
import { GrpcDoor } from './grpc-door.js';
import { GrpcWaitingRoom } from './grpc-waiting-room.js';
import { OfferReader } from './offer-reader.js';
import { PublishController } from './publish.controller.js';
import { SubscribeController } from './subscribe.controller.js';
import { TransactionController } from './transaction.controller.js';
import { TransactionReader } from './transaction-reader.js';

@Global()
@Module({
  imports: [AclModule, IngestMeterModule, MailboxModule, ProducerModule, ReplyModule, TransactionModule],
  controllers: [CallController, PublishController, SubscribeController, TransactionController],
  providers: [
    Closing,
    GrpcCaller,
    GrpcCounters,
    GrpcWaitingRoom,
    OfferReader,
    PullRoom,
    TransactionReader,
    { provide: GrpcDoor, useClass: GrpcListener },
  ],
  exports: [GrpcDoor],
})
export class GrpcModule {}
