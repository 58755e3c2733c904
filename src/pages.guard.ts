// Keeps pages from being asked too often: Nest's throttler over buckets that are bounded and set no timers.
import { type ExecutionContext, Injectable } from '@nestjs/common';
import {
  ThrottlerException,
  ThrottlerGuard,
  type ThrottlerLimitDetail,
  type ThrottlerModuleOptions,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import type { FastifyReply } from 'fastify';
import { AttemptLimit } from './acl/attempt-limit.js';
import type { Clock } from './message/clock.js';
import { type QuotaRate, throttleOf } from './message/quota.js';

/** The pages for people, of each page and address: nobody needs more, and the calls do not pass this guard. */
const rate: QuotaRate = { perSecond: 50, burst: 50 };
const secondMs = 1000;

/** Its stock storage keeps a timer for every request. */
class BucketStorage implements ThrottlerStorage {
  private readonly limit = new AttemptLimit(rate);

  constructor(private readonly clock: Clock) {}

  /** Times in seconds, as the guard wants them. */
  async increment(key: string): ReturnType<ThrottlerStorage['increment']> {
    const nowMs = this.clock.elapsedMs();
    const waitMs = this.limit.waitMs(key, nowMs);
    if (waitMs === 0) this.limit.take(key, nowMs);
    const fullMs = this.limit.fullInMs(key, nowMs);
    return {
      totalHits: Math.ceil((fullMs / secondMs) * rate.perSecond),
      timeToExpire: fullMs / secondMs,
      isBlocked: waitMs > 0,
      timeToBlockExpire: waitMs / secondMs,
    };
  }
}

export const pagesLimit = (clock: Clock): ThrottlerModuleOptions => ({
  throttlers: [{ ttl: secondMs, limit: rate.burst }],
  storage: new BucketStorage(clock),
  setHeaders: false,
});

@Injectable()
export class PagesGuard extends ThrottlerGuard {
  protected override throwThrottlingException(context: ExecutionContext, detail: ThrottlerLimitDetail): Promise<void> {
    const { headers } = throttleOf('pages', rate, detail.timeToBlockExpire * secondMs, detail.timeToExpire * secondMs);
    context.switchToHttp().getResponse<FastifyReply>().headers(headers);
    throw new ThrottlerException('asked too often');
  }
}
