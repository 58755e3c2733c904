// All the policies, as the program wires them.
import { CircuitBreakerPolicy } from '#src/circuit-breaker/circuit-breaker.policy.js';
import { Gates } from '#src/dispatcher/gates.js';
import { DemandPolicy } from '#src/dispatcher/sending/demand.policy.js';
import type { Clock } from '#src/message/clock.js';
import { ConcurrencyPolicy } from '#src/policy/concurrency.policy.js';
import { PausePolicy } from '#src/policy/pause.policy.js';
import { Pauses } from '#src/policy/pauses.js';
import { RateLimitPolicy } from '#src/policy/rate-limit.policy.js';
import { RetryAfterPolicy } from '#src/policy/retry-after.policy.js';
import { RetryBudgetPolicy } from '#src/policy/retry-budget.policy.js';
import { SharePolicy } from '#src/policy/share.policy.js';
import { WarmUpPolicy } from '#src/policy/warm-up.policy.js';
import { newMailboxes } from './mailboxes.js';

export function newGates(clock: Clock, pauses = new Pauses(), mailboxes = newMailboxes(clock)): Gates {
  return new Gates(
    new ConcurrencyPolicy(),
    new RateLimitPolicy(clock),
    new RetryBudgetPolicy(clock),
    new RetryAfterPolicy(clock),
    new CircuitBreakerPolicy(clock),
    new WarmUpPolicy(clock),
    new SharePolicy(clock),
    new PausePolicy(pauses),
    new DemandPolicy(mailboxes),
  );
}
