// The writing half of the broker: admission and the acknowledged append.
import { Module } from '@nestjs/common';
import { Producer } from './producer.js';

@Module({ providers: [Producer], exports: [Producer] })
export class ProducerModule {}
