// The doors, one folder a protocol.
import { Module } from '@nestjs/common';
import { AclModule } from '../acl/acl.module.js';
import { ProducerModule } from '../producer/producer.module.js';
import { ReplyModule } from '../reply/reply.module.js';
import { MailboxModule } from '../target/mailbox/mailbox.module.js';
import { TrackingModule } from '../tracking/tracking.module.js';
import { TransactionModule } from '../transaction/transaction.module.js';
import { CommitDoor } from './commit/commit.door.js';
import { IngestMeterModule } from './ingest-meter.module.js';
import { BatchDoor } from './messages/batch.door.js';
import { MessagesDoor } from './messages/messages.door.js';
import { ReplyDoor } from './messages/reply.door.js';
import { StateDoor } from './messages/state.door.js';
import { LeasesDoor } from './pull/leases.door.js';
import { PullDoor } from './pull/pull.door.js';
import { PullRoom } from './pull/pull-room.js';
import { ResultCache } from './result-cache.js';
import { MockDoor } from './rpc/mock.door.js';
import { RpcDoor } from './rpc/rpc.door.js';
import { TransactionDoor } from './transactions/transaction.door.js';
import { TransactionsDoor } from './transactions/transactions.door.js';
import { WaitingRoom } from './waiting-caller.js';

@Module({
  imports: [
    AclModule,
    IngestMeterModule,
    MailboxModule,
    ProducerModule,
    ReplyModule,
    TrackingModule,
    TransactionModule,
  ],
  providers: [
    BatchDoor,
    CommitDoor,
    LeasesDoor,
    MessagesDoor,
    MockDoor,
    PullDoor,
    PullRoom,
    ReplyDoor,
    ResultCache,
    RpcDoor,
    StateDoor,
    TransactionDoor,
    TransactionsDoor,
    WaitingRoom,
  ],
})
export class IngressModule {}
