// From the user's keys about transactions to what the program reads, and to the subscription that delivers their checks.
import { checkGroup, checkTopic, transactionTopic } from '../message/side-topic.js';
import { defaultVerdicts } from '../message/verdict.js';
import type { TransactionSection } from './schema/transaction.js';
import type { SubscriptionSettings, TopicSettings, TransactionSettings } from './settings.js';
import { signingSecretOf } from './signing-secret.js';

/** Enough for several nodes to share the checks. */
const partitions = 3;
const maxAnswerBytes = 4096;

export function transactionOf(section: TransactionSection): TransactionSettings {
  return {
    enabled: section['transaction.enabled'],
    firstCheckMs: section['transaction.first.check'],
    intervalMs: section['transaction.check.interval'],
    maxIntervalMs: section['transaction.check.interval.max'],
    maxChecks: section['transaction.max.checks'],
    ttlMs: section['transaction.ttl'],
    onTtl: section['transaction.on.ttl'],
    maxUndecided: section['transaction.max.undecided'],
    rememberMs: section['transaction.remember'],
    maxRemembered: section['transaction.max.remembered'],
  };
}

export const checkTopicSettings: TopicSettings = { name: checkTopic, partitions };

/** Checks go as all deliveries do; when to ask again is not its business, and what comes back is kept. */
export function checkSubscriptionOf(section: TransactionSection): SubscriptionSettings {
  const secrets = section['transaction.signing.secrets'];
  const perSecond = section['transaction.check.rate'];
  return {
    topic: checkTopic,
    groupId: checkGroup,
    bindings: [],
    filters: [],
    url: null,
    endpoints: null,
    isPulled: false,
    durable: true,
    needsConsent: false,
    startAt: 'earliest',
    choice: 'round-robin',
    uri: null,
    headers: [],
    methods: null,
    ordering: 'none',
    rate: { perSecond, burst: Math.max(1, perSecond / 10) },
    rateScope: 'node',
    concurrency: { min: 1, max: 64 },
    timeoutMs: section['transaction.check.timeout'],
    retries: 0,
    backoff: { initialMs: 100, maxMs: 1000, factor: 2, jitter: 'full' },
    retryBudget: { share: 1, floorPerSecond: 1 },
    poison: 'skip',
    deadLetterTopic: null,
    retryAfterMaxMs: 60_000,
    verdicts: defaultVerdicts,
    maxAnswerBytes,
    signing:
      secrets === undefined ? null : { secrets: secrets.map(signingSecretOf).filter((secret) => secret !== null) },
    circuit: { breakPeriodMs: 5000, recoverPeriodMs: 10_000, windowSeconds: 10, minStats: 10, healthRate: 0.5 },
    warmupMs: 0,
    destination: { rate: null, concurrency: null },
    destinations: [],
    answerTopic: transactionTopic,
  };
}
