// All the policies, as the program wires them.
import { CircuitBreakerPolicy } from '#src/circuit-breaker/circuit-breaker.policy.js';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import type { WebhookSettings } from '#src/config-watch/settings.js';
import { ConsentPolicy } from '#src/dispatcher/consent/consent.policy.js';
import { Consents } from '#src/dispatcher/consent/consents.js';
import { Gates } from '#src/dispatcher/gates.js';
import { DemandPolicy } from '#src/dispatcher/sending/demand.policy.js';
import type { Clock } from '#src/message/clock.js';
import { ClusterRatePolicy } from '#src/policy/cluster-rate.policy.js';
import { ConcurrencyPolicy } from '#src/policy/concurrency.policy.js';
import { PausePolicy } from '#src/policy/pause.policy.js';
import { Pauses } from '#src/policy/pauses.js';
import { RateLimitPolicy } from '#src/policy/rate-limit.policy.js';
import { RetryAfterPolicy } from '#src/policy/retry-after.policy.js';
import { RetryBudgetPolicy } from '#src/policy/retry-budget.policy.js';
import { SharePolicy } from '#src/policy/share.policy.js';
import { WarmUpPolicy } from '#src/policy/warm-up.policy.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import type { SharedState } from '#src/shared-state/shared-state.js';
import type { Target } from '#src/target/target.js';
import { newMailboxes } from './mailboxes.js';
import { ScriptedTarget } from './scripted-target.js';

const nothingShared = (clock: Clock) => new MemorySharedState({ clock, maxBytes: 1_000_000 });

/** `target` is asked under `origin`. */
export function newConsents(
  clock: Clock,
  target: Target = new ScriptedTarget(),
  { origin = null, consentMs = 60_000 }: Partial<WebhookSettings> = {},
): Consents {
  return new Consents(target, { settings: { webhook: { origin, consentMs } } } as ConfigWatch, clock);
}

export function newGates(
  clock: Clock,
  pauses = new Pauses(),
  state: SharedState = nothingShared(clock),
  consents = newConsents(clock),
): Gates {
  return new Gates(
    new ConcurrencyPolicy(),
    new RateLimitPolicy(clock),
    new RetryBudgetPolicy(clock),
    new RetryAfterPolicy(clock),
    new CircuitBreakerPolicy(clock),
    new WarmUpPolicy(clock),
    new SharePolicy(clock),
    new PausePolicy(pauses),
    new DemandPolicy(newMailboxes(clock)),
    new ClusterRatePolicy(clock, state),
    new ConsentPolicy(consents, clock),
  );
}
