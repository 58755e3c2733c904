// How many messages a topic may take a second, whoever sends them.
import type { TopicLimitSettings } from '../config-watch/settings.js';
import type { Clock } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import { type QuotaRate, quotaAfter, quotaWaitMs } from '../message/quota.js';

interface Limit {
  readonly rate: QuotaRate;
  /** Clock.elapsedMs() at which its bucket is full. */
  fullAtMs: number;
}

export class TopicLimits {
  private limits: ReadonlyMap<string, Limit> = new Map();

  constructor(
    private readonly clock: Clock,
    settings: readonly TopicLimitSettings[],
  ) {
    this.adjust(settings);
  }

  /** What was used stays used. */
  adjust(settings: readonly TopicLimitSettings[]): void {
    this.limits = new Map(
      settings.map(({ topic, rate }) => [topic, { rate, fullAtMs: this.limits.get(topic)?.fullAtMs ?? 0 }]),
    );
  }

  /** Counts one message; what to answer where it is one too many, which is not counted. */
  take(topic: string): BigpipeError | null {
    const limit = this.limits.get(topic);
    if (limit === undefined) return null;
    const nowMs = this.clock.elapsedMs();
    const { rate, fullAtMs } = limit;
    if (quotaWaitMs(fullAtMs, 1, nowMs, rate) > 0) {
      return new BigpipeError('overloaded', `the topic takes ${rate.perSecond} messages a second`);
    }
    limit.fullAtMs = quotaAfter(fullAtMs, 1, nowMs, rate);
    return null;
  }
}
