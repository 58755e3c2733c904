// The order in which the policies are asked before an attempt.
import { Injectable } from '@nestjs/common';
import { CircuitBreakerPolicy } from '../circuit-breaker/circuit-breaker.policy.js';
import type { CallUrl } from '../message/call-url.js';
import type { Delivery } from '../message/delivery.js';
import { ClusterRatePolicy } from '../policy/cluster-rate.policy.js';
import { ConcurrencyPolicy } from '../policy/concurrency.policy.js';
import { PausePolicy } from '../policy/pause.policy.js';
import type {
  Candidate,
  DispatchPolicy,
  Gate,
  GateFigures,
  GateScope,
  GateSettings,
  GateState,
  Hold,
  Pass,
} from '../policy/policy.js';
import { freePass, quietFigures } from '../policy/policy.js';
import { RateLimitPolicy } from '../policy/rate-limit.policy.js';
import { RetryAfterPolicy } from '../policy/retry-after.policy.js';
import { RetryBudgetPolicy } from '../policy/retry-budget.policy.js';
import { SharePolicy } from '../policy/share.policy.js';
import { WarmUpPolicy } from '../policy/warm-up.policy.js';
import { ConsentPolicy } from './consent/consent.policy.js';
import { DemandPolicy } from './sending/demand.policy.js';

/** Passes of every gate, or the first hold. `endpoint`: where it goes, if its group has chosen that. */
export type Leave =
  | { readonly passes: readonly Pass[]; readonly endpoint?: { readonly name: string; readonly url: CallUrl } }
  | { readonly hold: Hold };

/** The gates before a destination's attempts. */
export interface Row {
  /** So many ready deliveries may be asked for: one, unless each may have an answer of its own. */
  readonly lookAhead: number;
  enter(candidate: Candidate, delivery: Delivery): Leave;
  adjust(settings: GateSettings): void;
  readonly isAtRest: boolean;
  states(): GateState[];
  /** One for each row of gates behind it. */
  figures(): readonly GateFigures[];
  close(): void;
}

@Injectable()
export class Gates {
  /**
   * What costs nothing to give back is asked first; what says most about why somebody waits comes before the rest. Consent
   * is asked for with the leave of all others, so it comes last.
   */
  private readonly subscriptionOrder: readonly DispatchPolicy[];
  private readonly destinationOrder: readonly DispatchPolicy[];

  constructor(
    concurrency: ConcurrencyPolicy,
    rate: RateLimitPolicy,
    budget: RetryBudgetPolicy,
    retryAfter: RetryAfterPolicy,
    circuit: CircuitBreakerPolicy,
    warmUp: WarmUpPolicy,
    share: SharePolicy,
    pause: PausePolicy,
    demand: DemandPolicy,
    clusterRate: ClusterRatePolicy,
    consent: ConsentPolicy,
  ) {
    this.subscriptionOrder = [pause, concurrency, rate, clusterRate];
    this.destinationOrder = [
      pause,
      demand,
      budget,
      retryAfter,
      circuit,
      share,
      concurrency,
      warmUp,
      rate,
      clusterRate,
      consent,
    ];
  }

  openSubscription(scope: GateScope): GateRow {
    return new GateRow(this.subscriptionOrder.map((policy) => policy.open(scope)));
  }

  openDestination(scope: GateScope): GateRow {
    return new GateRow(this.destinationOrder.map((policy) => policy.open(scope)));
  }
}

/** The gates of one scope, passed all or none. */
export class GateRow implements Row {
  readonly lookAhead = 1;

  constructor(private readonly gates: readonly Gate[]) {}

  enter(candidate: Candidate): Leave {
    const passes: Pass[] = [];
    for (const gate of this.gates) {
      const entry = gate.enter(candidate);
      if ('hold' in entry) {
        if (entry.takeOver !== undefined) entry.takeOver(passes);
        else for (const pass of passes) pass.cancel();
        return entry;
      }
      if (entry.pass !== freePass) passes.push(entry.pass);
    }
    return { passes };
  }

  adjust(settings: GateSettings): void {
    for (const gate of this.gates) gate.adjust(settings);
  }

  /** True when new gates would let through the same. */
  get isAtRest(): boolean {
    return this.gates.every((gate) => gate.isAtRest());
  }

  /** Of those gates that have something to say. */
  states(): GateState[] {
    return this.gates.flatMap((gate) => gate.state() ?? []);
  }

  figures(): readonly GateFigures[] {
    const figures = quietFigures();
    for (const gate of this.gates) gate.figures(figures);
    return [figures];
  }

  close(): void {
    for (const gate of this.gates) gate.close();
  }
}
