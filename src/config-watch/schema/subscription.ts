// The user's keys of one kafka.consumer.list entry: whose calls it delivers, and how hard it may push.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { endpointChoices, orderings, poisons, rateScopes } from '../settings.js';
import {
  CallTarget,
  Concurrency,
  dayMs,
  EventFilters,
  Flag,
  HeaderTexts,
  MessageType,
  MethodNames,
  nameAllowed,
  namePattern,
  ObjectList,
  ObjectValue,
  OneOf,
  Optional,
  Origins,
  Positive,
  SigningSecrets,
  Start,
  Statuses,
  Text,
  TextOrFalse,
  UriTemplateText,
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
  /** The wait before the second attempt. */
  @Whole(1, dayMs, 'milliseconds')
  initialMs: number = 100;

  /** No wait is longer. */
  @Whole(1, dayMs, 'milliseconds')
  maxMs: number = 10_000;

  /** What each wait is longer than the one before it. */
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

  /** How many may go at once after a pause; beside a rateLimit only. */
  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;

  /** Requests in flight at the same moment. */
  @Optional()
  @Concurrency()
  concurrency?: ConcurrencyValue;
}

export class NamedDestinationEntry extends DestinationEntry {
  /** What the destination is called in pages and logs. */
  @Text(namePattern, nameAllowed)
  name!: string;

  /** Schemes, hosts and ports that are this destination. */
  @Origins()
  origins!: string[];
}

export const bindingKinds = ['direct', 'regex', 'fanout'] as const;

export class BindingEntry {
  /** direct: the one type; regex: types that a pattern describes; fanout: all types, and messages without one. */
  @OneOf(bindingKinds)
  kind!: (typeof bindingKinds)[number];

  /** The type, or for regex the pattern, in the syntax of RE2; none for fanout. */
  @Optional()
  @MessageType()
  type?: string;

  /** Beside regex only. true, the default: the pattern describes all of a type; false: a part of it. */
  @Optional()
  @Flag()
  anchored?: boolean;
}

export class EndpointEntry {
  /** Where it is. */
  @CallTarget()
  url!: string;

  /** Twice the weight gets twice as much. */
  @Positive(1000)
  weight: number = 1;

  /** In place of the subscription's. */
  @Optional()
  @Whole(0, 3600, 'seconds')
  warmupSeconds?: number;
}

export class SigningEntry {
  /** Each of them signs every request, so that a receiver may know the old or the new one; better references than the secrets. */
  @SigningSecrets()
  secrets!: string[];
}

export class SubscriptionEntry {
  /** One of kafka.topics. */
  @Text(namePattern, nameAllowed)
  topic!: string;

  /** Every group gets every call of its topic. */
  @Text(namePattern, nameAllowed)
  groupId!: string;

  /** Which types it gets: any of these is enough, and a message that several match comes once. All types when empty. */
  @ObjectList(0, 100)
  @ValidateNested({ each: true })
  @Type(() => BindingEntry)
  bindings: BindingEntry[] = [];

  /** What must hold of a message's attributes, all of it. */
  @EventFilters()
  filters: object[] = [];

  /** Where a message goes that names no URL; without one it goes to the dead letters. */
  @Optional()
  @CallTarget()
  url?: string;

  /** push: messages are sent to their URLs. pull: they wait until somebody fetches them, who has `timeout` to say that he is done. */
  @OneOf(['push', 'pull'])
  delivery: 'push' | 'pull' = 'push';

  /** In place of url: a group of receivers, of which each message goes to one. */
  @Optional()
  @ObjectList(0, 256)
  @ValidateNested({ each: true })
  @Type(() => EndpointEntry)
  endpoints?: EndpointEntry[];

  /** Which endpoint gets a message: each in turn, the one with the least in flight, or always the same for a key. */
  @OneOf(endpointChoices)
  choice: (typeof endpointChoices)[number] = 'round-robin';

  /** false, with endpoints: what comes while there is none is dropped and counted, and a new group starts at the end. */
  @Flag()
  durable: boolean = true;

  /** required: url and endpoints are asked first whether they agree to deliveries and how many a minute (CloudEvents' webhook handshake); without their consent they get nothing. */
  @OneOf(['none', 'required'])
  handshake: 'none' | 'required' = 'none';

  /** Where a group begins that was never served: at an end, an offset, or a time. earliest when absent, latest where durable is false. */
  @Optional()
  @Start()
  startAt?: string | number;

  /** Of messages that name no URL: path and query in place of the receiver's, with {#TOPIC}, {#KEY}, {#TRANSID} (the offset), {#PARTITION}, {#METHOD}, {#TYPE} in it, each percent-encoded. */
  @Optional()
  @UriTemplateText()
  uri?: string;

  /** Of messages that name no URL: further headers of their requests, host and credentials too. */
  @HeaderTexts()
  headers: Record<string, string> = {};

  /** Of messages that name no URL: bodies are msgpack maps, and only those come whose method is one of these; what is no such map is a dead letter. */
  @Optional()
  @MethodNames()
  methods?: string[];

  /** Attempts a second, retries included; 0.5 is one in two seconds. */
  @Positive(1_000_000)
  rateLimit!: number;

  /** How many may go at once after a pause; a second's worth when absent. */
  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;

  /** Whom rateLimit and those of the destinations hold for: each process by itself, or all that use one Redis together. */
  @OneOf(rateScopes)
  rateLimitScope: (typeof rateScopes)[number] = 'node';

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

  /** The statuses that mean delivered, in place of 2xx. */
  @Optional()
  @Statuses()
  successOn?: (number | string)[];

  /** The statuses that mean another attempt, in place of 408, 409, 425, 429 and 5xx. */
  @Optional()
  @Statuses()
  retryOn?: (number | string)[];

  /** The statuses that mean never, in place of all others. */
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

  /** How long to wait before another attempt: a curve, or the waits one by one, the last one for all that follow. */
  @WaitsOrObject('kiteq')
  @Type(() => RetryBackoffEntry)
  retryBackoff: RetryBackoffEntry | number[] | 'kiteq' = new RetryBackoffEntry();

  /** The share of a destination's attempts that may be retries. */
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

  /** Requests carry webhook-id, webhook-timestamp and webhook-signature, as Standard Webhooks has them. Not at all when absent. */
  @Optional()
  @ObjectValue()
  @ValidateNested()
  @Type(() => SigningEntry)
  signing?: SigningEntry;

  /** Stops sending to a destination that fails too often, and begins again slowly. None when absent. */
  @Optional()
  @ObjectValue()
  @ValidateNested()
  @Type(() => CircuitBreakerEntry)
  circuitBreaker?: CircuitBreakerEntry;
}

export class SubscriptionSection {
  /** Who gets which topic's calls, and how hard each may be pushed. */
  @ObjectList(0)
  @ValidateNested({ each: true })
  @Type(() => SubscriptionEntry)
  'kafka.consumer.list'!: SubscriptionEntry[];
}
