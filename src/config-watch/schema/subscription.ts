// The user's keys of one kafka.consumer.list entry: whose calls it delivers, and how hard it may push.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { orderings, poisons } from '../settings.js';
import {
  Concurrency,
  dayMs,
  nameAllowed,
  namePattern,
  ObjectList,
  ObjectValue,
  OneOf,
  Optional,
  Origins,
  Positive,
  Statuses,
  Text,
  TextOrFalse,
  WaitsOrObject,
  Whole,
} from './rules.js';

/** A number, "auto", or bounds. */
export type ConcurrencyValue = number | 'auto' | { readonly min: number; readonly max: number };

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

export class RetryBudgetEntry {
  /** Of all attempts to a destination, while first attempts wait too. */
  @Whole(0, 100, 'percent')
  percent: number = 20;

  /** So many retries a second are allowed whatever the share. */
  @Positive(1_000_000)
  floorPerSecond: number = 1;
}

export class DestinationEntry {
  /** Attempts a second, retries included. */
  @Optional()
  @Positive(1_000_000)
  rateLimit?: number;

  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;

  @Optional()
  @Concurrency()
  concurrency?: ConcurrencyValue;
}

export class NamedDestinationEntry extends DestinationEntry {
  @Text(namePattern, nameAllowed)
  name!: string;

  @Origins()
  origins!: string[];
}

export class SubscriptionEntry {
  @Text(namePattern, nameAllowed)
  topic!: string;

  @Text(namePattern, nameAllowed)
  groupId!: string;

  /** Attempts a second, retries included; 0.5 is one in two seconds. */
  @Positive(1_000_000)
  rateLimit!: number;

  /** How many may go at once after a pause; a second's worth when absent. */
  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;

  /** What waits for what: a key's messages for one another, all of a partition, or none. */
  @OneOf(orderings)
  ordering: (typeof orderings)[number] = 'key';

  /** Milliseconds of one whole exchange, connect included. */
  @Whole(1, dayMs, 'milliseconds')
  timeout!: number;

  /** Attempts are retries + 1. */
  @Whole(0, 1000)
  retries!: number;

  /** Requests in flight at the same moment. */
  @Concurrency()
  concurrency!: ConcurrencyValue;

  /**
   * A message of a key that failed for good: skip it (dead letter), block the key and try it on and on, or park the key:
   * its later messages follow to the dead letters.
   */
  @OneOf(poisons)
  poison: (typeof poisons)[number] = 'skip';

  /** Where the dead letters stand; false: they are counted, logged and lost. */
  @Optional()
  @TextOrFalse(namePattern, nameAllowed)
  deadLetterTopic?: string | false;

  /** The statuses that mean delivered, try again, and never; each list takes the place of the default one. */
  @Optional()
  @Statuses()
  successOn?: (number | string)[];

  @Optional()
  @Statuses()
  retryOn?: (number | string)[];

  @Optional()
  @Statuses()
  rejectOn?: (number | string)[];

  /** Of an answer's body; past it the connection is closed. */
  @Whole(0, 16_777_216, 'bytes')
  answerMaxBytes: number = 65_536;

  /** The longest that a receiver's Retry-After is obeyed. */
  @Whole(0, 86_400, 'seconds')
  retryAfterMaxSeconds: number = 3600;

  /** A destination that is new, or back after a long silence, grows to its full rate over this. */
  @Whole(0, 3600, 'seconds')
  warmupSeconds: number = 0;

  @WaitsOrObject()
  @Type(() => RetryBackoffEntry)
  retryBackoff: RetryBackoffEntry | number[] = new RetryBackoffEntry();

  @ObjectValue()
  @ValidateNested()
  @Type(() => RetryBudgetEntry)
  retryBudget: RetryBudgetEntry = new RetryBudgetEntry();

  /** What each destination may get at most. */
  @ObjectValue()
  @ValidateNested()
  @Type(() => DestinationEntry)
  destination: DestinationEntry = new DestinationEntry();

  /** Origins that share limits, circuit and order under a name. */
  @ObjectList(0)
  @ValidateNested({ each: true })
  @Type(() => NamedDestinationEntry)
  destinations: NamedDestinationEntry[] = [];

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
