// The policies there are; their order is dispatcher/gates.ts.
import { Module } from '@nestjs/common';
import { ConcurrencyPolicy } from './concurrency.policy.js';
import { RateLimitPolicy } from './rate-limit.policy.js';

@Module({ providers: [ConcurrencyPolicy, RateLimitPolicy], exports: [ConcurrencyPolicy, RateLimitPolicy] })
export class PolicyModule {}
