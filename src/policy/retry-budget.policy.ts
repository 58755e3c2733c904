// Retries may take only a share of the attempts to a destination while first attempts wait too.
import { Injectable } from '@nestjs/common';
import type { RetryBudgetSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  Gate,
  type GateFigures,
  type GateScope,
  type GateSettings,
  ignore,
} from './policy.js';
import { SecondCounts } from './second-counts.js';

/** The share is taken over the attempts of so many seconds. */
const windowSeconds = 10;

@Injectable()
export class RetryBudgetPolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new RetryBudgetGate(this.clock, scope);
  }
}

/** Retries for which nobody else would wait are free: holding them would help nobody, and only fill the window. */
class RetryBudgetGate extends Gate {
  /** Attempts, and the retries among them. */
  private readonly counts: SecondCounts;
  private budget: RetryBudgetSettings;
  private readonly first: Entry;
  private readonly retry: Entry;

  constructor(
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.counts = new SecondCounts(windowSeconds, clock.elapsedMs());
    this.budget = scope.subscription.retryBudget;
    this.first = { pass: { settle: ignore, cancel: () => this.count(-1, 0) } };
    this.retry = { pass: { settle: ignore, cancel: () => this.count(-1, -1) } };
  }

  override enter({ isRetry, firstsWait }: Candidate): Entry {
    if (!isRetry) {
      this.count(1, 0);
      return this.first;
    }
    if (firstsWait && !this.allows()) {
      const detail = `retries have had their ${Math.round(this.budget.share * 100)} % of the attempts`;
      return { hold: { reason: 'budget', untilMs: this.allowedFromMs(), detail } };
    }
    this.count(1, 1);
    return this.retry;
  }

  override figures(into: GateFigures): void {
    const [attempts, retries] = this.counts.totals(this.clock.elapsedMs());
    into.budgetUsed = retries === 0 ? 0 : retries / Math.max(1, this.allowed(attempts));
  }

  /** Whoever begins anew has the floor only. */
  override isAtRest(): boolean {
    return true;
  }

  override adjust({ subscription }: GateSettings): void {
    this.budget = subscription.retryBudget;
    this.scope.wake();
  }

  private allows([attempts, retries] = this.counts.totals(this.clock.elapsedMs())): boolean {
    return retries + 1 <= this.allowed(attempts + 1);
  }

  /** Retries among so many attempts. */
  private allowed(attempts: number): number {
    const { share, floorPerSecond } = this.budget;
    return Math.max(floorPerSecond * windowSeconds, share * attempts);
  }

  /** When enough has slid out of the window, if nothing else comes. */
  private allowedFromMs(): number {
    const nowMs = this.clock.elapsedMs();
    let second = Math.floor(nowMs / 1000);
    for (const totals of this.counts.ahead(nowMs)) {
      second += 1;
      if (this.allows(totals)) break;
    }
    return second * 1000;
  }

  private count(attempts: number, retries: number): void {
    this.counts.add(attempts, retries, this.clock.elapsedMs());
  }
}
