// The writing half of the broker: admission and the acknowledged append.
import { Module } from '@nestjs/common';
import { SharedStateModule } from '../shared-state/shared-state.module.js';
import { Idempotency } from './idempotency.js';
import { MessageIds } from './message-ids.js';
import { NodeIdempotency } from './node-idempotency.js';
import { Producer } from './producer.js';
import { SharedIdempotency } from './shared-idempotency.js';

@Module({
  imports: [SharedStateModule],
  providers: [MessageIds, NodeIdempotency, Producer, { provide: Idempotency, useClass: SharedIdempotency }],
  exports: [MessageIds, Producer],
})
export class ProducerModule {}
