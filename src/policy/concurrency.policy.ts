// At most so many requests in flight at the same moment; the number is fixed, or follows the receiver.
import { Injectable } from '@nestjs/common';
import type { ConcurrencySettings } from '../config-watch/settings.js';
import type { Outcome } from '../message/outcome.js';
import { AdaptiveLimit, type LimitSign } from './adaptive-limit.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  Gate,
  type GateFigures,
  type GateScope,
  type GateSettings,
  type Pass,
} from './policy.js';

@Injectable()
export class ConcurrencyPolicy extends DispatchPolicy {
  override open(scope: GateScope): Gate {
    return new ConcurrencyGate(scope);
  }
}

/** What adapts does so for each destination; the subscription's own bound is then the highest. */
function limitsOf({ subscription, destination }: GateSettings): ConcurrencySettings | null {
  const { concurrency } = subscription;
  if (destination === null) return { min: concurrency.max, max: concurrency.max };
  return destination.concurrency ?? (concurrency.min < concurrency.max ? concurrency : null);
}

class ConcurrencyGate extends Gate {
  private inFlight = 0;
  private limits: ConcurrencySettings | null;
  /** null: the limit is fixed. */
  private adaptive: AdaptiveLimit | null = null;
  private readonly entry: { readonly pass: Pass };

  constructor(private readonly scope: GateScope) {
    super();
    this.limits = limitsOf(scope);
    this.follow();
    this.entry = {
      pass: {
        settle: (outcome) => {
          this.learn(outcome);
          this.inFlight -= 1;
          if (this.limits !== null) scope.wake();
        },
        // Whoever gives an unused pass back is asking right now, and knows.
        cancel: () => {
          this.inFlight -= 1;
        },
      },
    };
  }

  override enter(_candidate: Candidate): Entry {
    // Counted without a limit too: there may be one before they end.
    const limit = this.adaptive?.limit ?? this.limits?.max ?? Number.POSITIVE_INFINITY;
    if (this.inFlight >= limit) {
      return { hold: { reason: 'concurrency', untilMs: null, detail: `${this.inFlight} of ${limit} in flight` } };
    }
    this.inFlight += 1;
    return this.entry;
  }

  override figures(into: GateFigures): void {
    into.concurrencyLimit = this.adaptive?.limit ?? this.limits?.max ?? null;
  }

  /** What it has learned is learned again. */
  override isAtRest(): boolean {
    return this.inFlight === 0;
  }

  override adjust(settings: GateSettings): void {
    this.limits = limitsOf(settings);
    this.follow();
    this.scope.wake();
  }

  private follow(): void {
    if (this.limits === null || this.limits.min === this.limits.max) this.adaptive = null;
    else if (this.adaptive === null) this.adaptive = new AdaptiveLimit(this.limits.min, this.limits.max);
    else this.adaptive.adjust(this.limits.min, this.limits.max);
  }

  private learn(outcome: Outcome): void {
    if (this.adaptive === null || outcome.kind === 'aborted') return;
    // A refused connection says nothing about how much the receiver can bear.
    if (outcome.kind === 'retry' && outcome.reason === 'connection') return;
    this.adaptive.sample(signOf(outcome), outcome.durationMs, this.inFlight);
  }
}

/** Only what was done tells how long work takes: a refusal may be as quick as it likes. */
function signOf(outcome: Exclude<Outcome, { kind: 'aborted' }>): LimitSign {
  if (outcome.kind === 'delivered') return 'done';
  const { status } = outcome;
  const isOverload = outcome.kind === 'retry' && (outcome.reason === 'timeout' || status === 429 || status === 503);
  return isOverload ? 'overloaded' : 'other';
}
