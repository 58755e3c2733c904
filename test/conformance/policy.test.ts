// Every policy against every promise of the port.
import { Logger } from '@nestjs/common';
import { CircuitBreakerPolicy } from '#src/circuit-breaker/circuit-breaker.policy.js';
import type { DestinationSettings, SubscriptionSettings } from '#src/config-watch/settings.js';
import type { Clock } from '#src/message/clock.js';
import { ClusterRatePolicy } from '#src/policy/cluster-rate.policy.js';
import { ConcurrencyPolicy } from '#src/policy/concurrency.policy.js';
import type { GateSettings } from '#src/policy/policy.js';
import { RateLimitPolicy } from '#src/policy/rate-limit.policy.js';
import { RetryAfterPolicy } from '#src/policy/retry-after.policy.js';
import { RetryBudgetPolicy } from '#src/policy/retry-budget.policy.js';
import { SharePolicy } from '#src/policy/share.policy.js';
import { WarmUpPolicy } from '#src/policy/warm-up.policy.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import { fixed, newSubscription, perSecond } from '../support/subscription.js';
import { policySuite } from './policy.suite.js';

// The circuit tells each of its changes, and there are thousands here.
Logger.overrideLogger(false);

const unlimited: DestinationSettings = { rate: null, concurrency: null };
const ofSubscription = (changes: Partial<SubscriptionSettings>): GateSettings => ({
  subscription: newSubscription(changes),
  destination: null,
});
const ofDestination = (
  destination: Partial<DestinationSettings>,
  changes: Partial<SubscriptionSettings> = {},
): GateSettings => ({ subscription: newSubscription(changes), destination: { ...unlimited, ...destination } });

const atDestination = { name: 'http://a.example', hasPeers: true } as const;
const atSubscription = { name: null, hasPeers: false } as const;

policySuite('rate of a subscription', {
  ...atSubscription,
  make: (clock) => new RateLimitPolicy(clock),
  settings: ofSubscription({ rate: perSecond(3) }),
  off: null,
  tighter: ofSubscription({ rate: perSecond(1, 3) }),
  looser: ofSubscription({ rate: perSecond(3000) }),
});

policySuite('rate of a destination', {
  ...atDestination,
  make: (clock) => new RateLimitPolicy(clock),
  settings: ofDestination({ rate: perSecond(0.5) }),
  off: ofDestination({}),
  tighter: ofDestination({ rate: perSecond(0.1) }),
  looser: ofDestination({}),
});

const nothingShared = (clock: Clock) => new MemorySharedState({ clock, maxBytes: 1_000_000 });

policySuite('rate over all nodes, while nothing is shared', {
  ...atSubscription,
  make: (clock) => new ClusterRatePolicy(clock, nothingShared(clock)),
  settings: ofSubscription({ rate: perSecond(3), rateScope: 'cluster' }),
  off: ofSubscription({ rate: perSecond(3), rateScope: 'node' }),
  tighter: ofSubscription({ rate: perSecond(1, 3), rateScope: 'cluster' }),
  looser: ofSubscription({ rate: perSecond(3000), rateScope: 'cluster' }),
});

policySuite('concurrency of a subscription', {
  ...atSubscription,
  make: () => new ConcurrencyPolicy(),
  settings: ofSubscription({ concurrency: fixed(3) }),
  off: null,
  tighter: ofSubscription({ concurrency: fixed(2) }),
  looser: ofSubscription({ concurrency: fixed(30) }),
});

policySuite('fixed concurrency of a destination', {
  ...atDestination,
  make: () => new ConcurrencyPolicy(),
  settings: ofDestination({ concurrency: fixed(2) }),
  off: ofDestination({}),
  tighter: ofDestination({ concurrency: fixed(1) }),
  looser: ofDestination({ concurrency: fixed(20) }),
});

policySuite('adaptive concurrency of a destination', {
  ...atDestination,
  make: () => new ConcurrencyPolicy(),
  settings: ofDestination({ concurrency: { min: 1, max: 3 } }),
  off: ofDestination({}),
  tighter: null,
  looser: ofDestination({ concurrency: { min: 100, max: 200 } }),
});

policySuite('share beside others', {
  ...atDestination,
  make: (clock) => new SharePolicy(clock),
  settings: ofDestination({}, { concurrency: fixed(8) }),
  off: null,
  tighter: ofDestination({}, { concurrency: fixed(4) }),
  looser: ofDestination({}, { concurrency: fixed(80) }),
});

policySuite('share of a destination alone', {
  ...atDestination,
  hasPeers: false,
  make: (clock) => new SharePolicy(clock),
  settings: ofDestination({}, { concurrency: fixed(5) }),
  off: null,
  tighter: ofDestination({}, { concurrency: fixed(3) }),
  looser: ofDestination({}, { concurrency: fixed(50) }),
});

policySuite('retry-after', {
  ...atDestination,
  make: (clock) => new RetryAfterPolicy(clock),
  settings: ofDestination({}, { rate: perSecond(20) }),
  off: ofDestination({}, { retryAfterMaxMs: 0 }),
  tighter: ofDestination({}, { rate: perSecond(2) }),
  looser: null,
});

policySuite('retry budget', {
  ...atDestination,
  make: (clock) => new RetryBudgetPolicy(clock),
  settings: ofDestination({}, { retryBudget: { share: 0.2, floorPerSecond: 0.2 } }),
  off: ofDestination({}, { retryBudget: { share: 1, floorPerSecond: 1000 } }),
  tighter: ofDestination({}, { retryBudget: { share: 0.1, floorPerSecond: 0.1 } }),
  looser: ofDestination({}, { retryBudget: { share: 1, floorPerSecond: 1000 } }),
});

policySuite('warm-up', {
  ...atDestination,
  make: (clock) => new WarmUpPolicy(clock),
  settings: ofDestination({}, { warmupMs: 30_000, concurrency: fixed(10), rate: perSecond(20) }),
  off: ofDestination({}, { warmupMs: 0 }),
  tighter: ofDestination({}, { warmupMs: 30_000, concurrency: fixed(2), rate: perSecond(20) }),
  looser: ofDestination({}, { warmupMs: 0 }),
});

const circuit = { breakPeriodMs: 2000, recoverPeriodMs: 5000, windowSeconds: 5, minStats: 3, healthRate: 0.9 };

policySuite('circuit breaker', {
  ...atDestination,
  make: (clock) => new CircuitBreakerPolicy(clock),
  settings: ofDestination({}, { rate: perSecond(20), circuit }),
  off: ofDestination({}, { circuit: null }),
  tighter: ofDestination({}, { rate: perSecond(20), circuit: { ...circuit, breakPeriodMs: 20_000 } }),
  looser: ofDestination({}, { circuit: null }),
});
