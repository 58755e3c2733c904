// At most so many attempts a second, retries included.
import { Injectable } from '@nestjs/common';
import type { RateSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
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
export class RateLimitPolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new RateLimitGate(this.clock, scope);
  }
}

/** The subscription's limit, or the destination's own where it has one. */
function rateOf({ subscription, destination }: GateSettings): RateSettings | null {
  return destination === null ? subscription.rate : destination.rate;
}

class RateLimitGate extends Gate {
  private bucket: TokenBucket | null;
  private perSecond = 0;
  private readonly entry: { readonly pass: Pass };

  constructor(
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.bucket = this.newBucket(rateOf(scope));
    this.entry = { pass: { settle: ignore, cancel: () => this.bucket?.giveBack() } };
  }

  override enter(_candidate: Candidate): Entry {
    if (this.bucket === null) return free;
    const nowMs = this.clock.elapsedMs();
    const waitMs = this.bucket.take(nowMs);
    if (waitMs === 0) return this.entry;
    return { hold: { reason: 'rate', untilMs: nowMs + waitMs, detail: `the limit is ${this.perSecond} a second` } };
  }

  override isAtRest(): boolean {
    return this.bucket?.isFull(this.clock.elapsedMs()) ?? true;
  }

  override adjust(settings: GateSettings): void {
    const rate = rateOf(settings);
    if (rate === null || this.bucket === null) {
      this.bucket = this.newBucket(rate);
    } else {
      this.perSecond = rate.perSecond;
      this.bucket.adjust(rate.perSecond, rate.burst, this.clock.elapsedMs());
    }
    this.scope.wake();
  }

  private newBucket(rate: RateSettings | null): TokenBucket | null {
    if (rate === null) return null;
    this.perSecond = rate.perSecond;
    return new TokenBucket(rate.perSecond, rate.burst, this.clock.elapsedMs());
  }
}
