// From one kafka.consumer.list entry to what the dispatcher reads.
import type { SigningSettings } from '../message/delivery.js';
import { deadLetterTopic } from '../message/side-topic.js';
import { defaultVerdicts, Verdicts } from '../message/verdict.js';
import { eventFiltersOf } from './event-filter.js';
import { kiteqWaits } from './kiteq-waits.js';
import { originOf } from './origin.js';
import {
  type BindingEntry,
  type CircuitBreakerEntry,
  type ConcurrencyValue,
  type DestinationEntry,
  type EndpointEntry,
  type SigningEntry,
  type SubscriptionEntry,
} from './schema/subscription.js';
import type {
  BackoffSettings,
  BindingSettings,
  CircuitSettings,
  ConcurrencySettings,
  DestinationSettings,
  EndpointSettings,
  RateSettings,
  SubscriptionSettings,
} from './settings.js';
import { signingSecretOf } from './signing-secret.js';
import { startOf } from './start-at.js';
import { statusesOf } from './status-list.js';

/** "auto": down to one at a time, up to what a busy service commonly bears. */
const auto: ConcurrencySettings = { min: 1, max: 200 };

/** The entry is valid. */
export function subscriptionOf(entry: SubscriptionEntry): SubscriptionSettings {
  return {
    topic: entry.topic,
    groupId: entry.groupId,
    bindings: entry.bindings.map(bindingOf),
    filters: eventFiltersOf(entry.filters) ?? [],
    url: entry.url ?? null,
    isPulled: entry.delivery === 'pull',
    endpoints: entry.endpoints?.map(endpointOf) ?? null,
    choice: entry.choice,
    durable: entry.durable,
    needsConsent: entry.handshake === 'required',
    startAt: startOf(entry.startAt) ?? (entry.durable ? 'earliest' : 'latest'),
    uri: entry.uri ?? null,
    headers: Object.entries(entry.headers).map(([name, value]) => [name.toLowerCase(), value]),
    methods: entry.methods ?? null,
    ordering: entry.ordering,
    rate: rateOf(entry.rateLimit, entry.burst),
    concurrency: subscriptionConcurrencyOf(entry),
    rateScope: entry.rateLimitScope,
    timeoutMs: entry.timeout,
    retries: entry.retries,
    backoff: backoffOf(entry.retryBackoff),
    retryBudget: {
      share: entry.retryBudget.percent / 100,
      floorPerSecond: entry.retryBudget.floorPerSecond,
    },
    poison: entry.poison,
    deadLetterTopic: deadLetterTopicOf(entry),
    retryAfterMaxMs: entry.retryAfterMaxSeconds * 1000,
    verdicts: verdictsOf(entry),
    maxAnswerBytes: entry.answerMaxBytes,
    signing: entry.signing === undefined ? null : signingOf(entry.signing),
    circuit: circuitIn(entry),
    warmupMs: entry.warmupSeconds * 1000,
    destination: destinationOf(entry.destination),
    destinations: entry.destinations.map((named) => ({
      name: named.name,
      origins: named.origins.map((origin) => originOf(origin) ?? origin),
      ...destinationOf(named),
    })),
    answerTopic: null,
  };
}

/** The entry is valid. */
function bindingOf({ kind, type = '', anchored }: BindingEntry): BindingSettings {
  if (kind === 'fanout') return { kind };
  return kind === 'direct' ? { kind, type } : { kind, type, isAnchored: anchored ?? true };
}

/** A group always has a circuit: who fails is set aside. */
const groupCircuit: CircuitSettings = {
  breakPeriodMs: 5000,
  recoverPeriodMs: 10_000,
  windowSeconds: 10,
  minStats: 5,
  healthRate: 0.5,
};

function circuitIn({ circuitBreaker, endpoints }: SubscriptionEntry): CircuitSettings | null {
  if (circuitBreaker !== undefined) return circuitOf(circuitBreaker);
  return endpoints === undefined ? null : groupCircuit;
}

function endpointOf({ url, weight, warmupSeconds }: EndpointEntry): EndpointSettings {
  return { url, weight, warmupMs: warmupSeconds === undefined ? null : warmupSeconds * 1000 };
}

function verdictsOf({ successOn, retryOn, rejectOn }: SubscriptionEntry): Verdicts {
  if (successOn === undefined && retryOn === undefined && rejectOn === undefined) return defaultVerdicts;
  return new Verdicts({
    success: statusListOf(successOn),
    retry: statusListOf(retryOn),
    reject: statusListOf(rejectOn),
  });
}

/** Null when they are switched off. */
export function deadLetterTopicOf({ topic, groupId, deadLetterTopic: name }: SubscriptionEntry): string | null {
  return name === false ? null : (name ?? deadLetterTopic(topic, groupId));
}

/** Timers are late by about a millisecond: what falls due meanwhile must not be lost, or the rate is never reached. */
const latenessSeconds = 0.01;

/** As in the original, a second's worth may go at once; a limit below 1 still lets a whole attempt through. */
function rateOf(perSecond: number, burst: number | undefined): RateSettings {
  return { perSecond, burst: burst === undefined ? Math.max(1, perSecond) : burst + perSecond * latenessSeconds };
}

function concurrencyOf(value: ConcurrencyValue): ConcurrencySettings {
  if (value === 'auto') return auto;
  return typeof value === 'number' ? { min: value, max: value } : { min: value.min, max: value.max };
}

/** How long whoever fetches takes says nothing about how much he can bear: there is nothing to adapt to. */
function subscriptionConcurrencyOf({ concurrency, delivery }: SubscriptionEntry): ConcurrencySettings {
  const { min, max } = concurrencyOf(concurrency);
  return { min: delivery === 'pull' ? max : min, max };
}

function destinationOf({ rateLimit, burst, concurrency }: DestinationEntry): DestinationSettings {
  return {
    rate: rateLimit === undefined ? null : rateOf(rateLimit, burst),
    concurrency: concurrency === undefined ? null : concurrencyOf(concurrency),
  };
}

function backoffOf(entry: SubscriptionEntry['retryBackoff']): BackoffSettings {
  if (entry === 'kiteq') return kiteqWaits;
  if (Array.isArray(entry)) return [...entry];
  const { initialMs, maxMs, factor, jitter } = entry;
  return { initialMs, maxMs, factor, jitter };
}

function circuitOf(entry: CircuitBreakerEntry): CircuitSettings {
  return {
    breakPeriodMs: entry.breakPeriod * 1000,
    recoverPeriodMs: entry.recoverPeriod * 1000,
    windowSeconds: entry.winSize,
    minStats: entry.minStats,
    healthRate: entry.healthRate,
  };
}

function signingOf({ secrets }: SigningEntry): SigningSettings {
  return { secrets: secrets.map(signingSecretOf).filter((secret) => secret !== null) };
}

const statusListOf = (list: readonly (number | string)[] | undefined) => (list === undefined ? null : statusesOf(list));
