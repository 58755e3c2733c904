// The writing half of the broker: admission and the acknowledged append.
import { Module } from '@nestjs/common';
import { Idempotency } from './idempotency.js';
import { NodeIdempotency } from './node-idempotency.js';
import { Producer } from './producer.js';

@Module({ providers: [Producer, { provide: Idempotency, useClass: NodeIdempotency }], exports: [Producer] })
export class ProducerModule {}
