// The user's keys of one kafka.consumer.list entry: whose calls it delivers, and how hard it may push.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import {
  dayMs,
  nameAllowed,
  namePattern,
  ObjectList,
  ObjectValue,
  OneOf,
  Optional,
  Positive,
  Text,
  Whole,
} from './rules.js';

export class CircuitBreakerEntry {
  /** Seconds that nothing but a probe passes. */
  @Whole(1, 86_400, 'seconds')
  breakPeriod!: number;

  /** Seconds over which the rate grows back. */
  @Whole(1, 86_400, 'seconds')
  recoverPeriod!: number;

  /** Seconds that health is measured over. */
  @Whole(1, 3600, 'seconds')
  winSize!: number;

  /** Fewer attempts than this in the window say nothing about health. */
  @Whole(1, 1_000_000)
  minStats!: number;

  /** The share of successes below which a receiver is unhealthy. */
  @Positive(1)
  healthRate!: number;
}

export class RetryBackoffEntry {
  @Whole(1, dayMs, 'milliseconds')
  initialMs: number = 100;

  @Whole(1, dayMs, 'milliseconds')
  maxMs: number = 10_000;

  @Positive(10, 0.99)
  factor: number = 2;

  /** full: a random wait between 0 and the computed one, so that failures do not come back together. */
  @OneOf(['full', 'none'])
  jitter: 'full' | 'none' = 'full';
}

export class SubscriptionEntry {
  @Text(namePattern, nameAllowed)
  topic!: string;

  @Text(namePattern, nameAllowed)
  groupId!: string;

  /** Attempts a second, retries included; 0.5 is one in two seconds. */
  @Positive(1_000_000)
  rateLimit!: number;

  /** Milliseconds of one whole exchange, connect included. */
  @Whole(1, dayMs, 'milliseconds')
  timeout!: number;

  /** Attempts are retries + 1. */
  @Whole(0, 1000)
  retries!: number;

  /** Requests in flight at the same moment. */
  @Whole(1, 10_000)
  concurrency!: number;

  @Optional()
  @ObjectValue()
  @ValidateNested()
  @Type(() => RetryBackoffEntry)
  retryBackoff: RetryBackoffEntry = new RetryBackoffEntry();

  @Optional()
  @ObjectValue()
  @ValidateNested()
  @Type(() => CircuitBreakerEntry)
  circuitBreaker?: CircuitBreakerEntry;
}

export class SubscriptionSection {
  @ObjectList(0)
  @ValidateNested({ each: true })
  @Type(() => SubscriptionEntry)
  'kafka.consumer.list'!: SubscriptionEntry[];
}
