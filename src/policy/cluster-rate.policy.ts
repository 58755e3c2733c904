// The same limit over all nodes together, beside each node's own (rate-limit.policy.ts).
import { Injectable } from '@nestjs/common';
import type { RateSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { SharedState } from '../shared-state/shared-state.js';
import { ClusterTokens } from './cluster-tokens.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  free,
  Gate,
  type GateScope,
  type GateSettings,
  ignore,
  type Pass,
} from './policy.js';
import { TokenBucket } from './token-bucket.js';

@Injectable()
export class ClusterRatePolicy extends DispatchPolicy {
  constructor(
    private readonly clock: Clock,
    private readonly state: SharedState,
  ) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new ClusterRateGate(this.clock, this.state, scope);
  }
}

/** The subscription's limit, or the destination's own where it has one; null: there is none, or it is each node's own. */
function rateOf({ subscription, destination }: GateSettings): RateSettings | null {
  if (subscription.rateScope === 'node') return null;
  return destination === null ? subscription.rate : destination.rate;
}

class ClusterRateGate extends Gate {
  private rate: RateSettings | null;
  private readonly tokens: ClusterTokens;
  /** In use while nothing is shared: the limit in proportion to the partitions that are this node's. */
  private alone: TokenBucket | null = null;
  private readonly sharedEntry: Entry;
  private readonly aloneEntry: Entry;

  constructor(
    private readonly clock: Clock,
    private readonly shared: SharedState,
    private readonly scope: GateScope,
  ) {
    super();
    this.rate = rateOf(scope);
    const { subscription, name } = scope;
    this.tokens = new ClusterTokens({
      state: shared,
      clock,
      name: JSON.stringify([subscription.topic, subscription.groupId, name]),
      rate: () => this.rate ?? subscription.rate,
      wake: () => scope.wake(),
    });
    const entryOf = (cancel: () => void): { readonly pass: Pass } => ({ pass: { settle: ignore, cancel } });
    this.sharedEntry = entryOf(() => this.tokens.giveBack());
    this.aloneEntry = entryOf(() => this.alone?.giveBack());
  }

  override enter(_candidate: Candidate): Entry {
    if (this.rate === null) return free;
    const nowMs = this.clock.elapsedMs();
    if (this.shared.scope === 'node' || !this.shared.isWorthAsking()) return this.enterAlone(this.rate, nowMs);
    this.alone = null;
    const taken = this.tokens.take(nowMs);
    if (taken === true) return this.sharedEntry;
    const detail = `the limit is ${this.rate.perSecond} a second over all nodes`;
    return { hold: { reason: 'rate', untilMs: taken.untilMs, detail } };
  }

  override isAtRest(): boolean {
    return this.tokens.isIdle && (this.alone?.isFull(this.clock.elapsedMs()) ?? true);
  }

  override adjust(settings: GateSettings): void {
    this.rate = rateOf(settings);
    this.scope.wake();
  }

  private enterAlone({ perSecond, burst }: RateSettings, nowMs: number): Entry {
    // Who has no partition has nothing to send either.
    const share = Math.max(this.scope.share?.() ?? 1, 1e-6);
    const [rate, atOnce] = [perSecond * share, Math.max(1, burst * share)];
    this.alone ??= new TokenBucket(rate, atOnce, nowMs);
    this.alone.adjust(rate, atOnce, nowMs);
    const waitMs = this.alone.take(nowMs);
    if (waitMs === 0) return this.aloneEntry;
    const detail = `the limit is ${rate} a second here: nothing is shared now`;
    return { hold: { reason: 'rate', untilMs: nowMs + waitMs, detail } };
  }
}
