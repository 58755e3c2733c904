// The policies there are; their order is dispatcher/gates.ts.
import { Module } from '@nestjs/common';
import { SharedStateModule } from '../shared-state/shared-state.module.js';
import { ClusterRatePolicy } from './cluster-rate.policy.js';
import { ConcurrencyPolicy } from './concurrency.policy.js';
import { PausePolicy } from './pause.policy.js';
import { Pauses } from './pauses.js';
import { RateLimitPolicy } from './rate-limit.policy.js';
import { RetryAfterPolicy } from './retry-after.policy.js';
import { RetryBudgetPolicy } from './retry-budget.policy.js';
import { SharePolicy } from './share.policy.js';
import { WarmUpPolicy } from './warm-up.policy.js';

const policies = [
  Pauses,
  PausePolicy,
  ClusterRatePolicy,
  ConcurrencyPolicy,
  RateLimitPolicy,
  RetryAfterPolicy,
  RetryBudgetPolicy,
  SharePolicy,
  WarmUpPolicy,
];

@Module({ imports: [SharedStateModule], providers: policies, exports: policies })
export class PolicyModule {}
