// At most so many attempts a second, retries included.
import { Injectable } from '@nestjs/common';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { DispatchPolicy, type Entry, Gate, type GateScope, type Pass } from './policy.js';
import { TokenBucket } from './token-bucket.js';

@Injectable()
export class RateLimitPolicy extends DispatchPolicy {
  override readonly name = 'rate';

  constructor(private readonly clock: Clock) {
    super();
  }

  override open({ subscription }: GateScope): Gate {
    return new RateLimitGate(this.clock, subscription);
  }
}

/** As in the original, a second's worth may go at once; a limit below 1 still lets a whole attempt through. */
const burstOf = (ratePerSecond: number) => Math.max(1, ratePerSecond);

class RateLimitGate extends Gate {
  private readonly bucket: TokenBucket;
  private readonly pass: Pass;

  constructor(
    private readonly clock: Clock,
    { ratePerSecond }: SubscriptionSettings,
  ) {
    super();
    this.bucket = new TokenBucket(ratePerSecond, burstOf(ratePerSecond), clock.elapsedMs());
    this.pass = { settle: () => undefined, cancel: () => this.bucket.giveBack() };
  }

  override enter(): Entry {
    const nowMs = this.clock.elapsedMs();
    const waitMs = this.bucket.take(nowMs);
    return waitMs === 0 ? { pass: this.pass } : { hold: { reason: 'rate', untilMs: nowMs + waitMs } };
  }

  override adjust({ ratePerSecond }: SubscriptionSettings): void {
    this.bucket.adjust(ratePerSecond, burstOf(ratePerSecond), this.clock.elapsedMs());
  }
}
