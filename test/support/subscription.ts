// A subscription's settings for tests; each test changes what it is about.
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import { deadLetterTopic } from '#src/message/side-topic.js';
import { defaultVerdicts } from '#src/message/verdict.js';

export const fixed = (max: number) => ({ min: max, max });
export const perSecond = (rate: number, burst = Math.max(1, rate)) => ({ perSecond: rate, burst });

export function newSubscription(changes: Partial<SubscriptionSettings> = {}): SubscriptionSettings {
  const { topic = 'orders', groupId = 'G' } = changes;
  return {
    topic,
    groupId,
    bindings: [],
    filters: [],
    url: null,
    isPulled: false,
    endpoints: null,
    choice: 'round-robin',
    durable: true,
    needsConsent: false,
    startAt: 'earliest',
    uri: null,
    headers: [],
    methods: null,
    ordering: 'key',
    rate: perSecond(1000),
    rateScope: 'node',
    concurrency: fixed(10),
    timeoutMs: 1000,
    retries: 2,
    backoff: { initialMs: 100, maxMs: 1000, factor: 2, jitter: 'none' },
    retryBudget: { share: 0.2, floorPerSecond: 1 },
    poison: 'skip',
    deadLetterTopic: deadLetterTopic(topic, groupId),
    retryAfterMaxMs: 3_600_000,
    verdicts: defaultVerdicts,
    maxAnswerBytes: 65_536,
    signing: null,
    circuit: null,
    warmupMs: 0,
    destination: { rate: null, concurrency: null },
    destinations: [],
    answerTopic: null,
    ...changes,
  };
}
