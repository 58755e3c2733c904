// Keys that nobody reads, each with the known one that was probably meant.
import { closest } from 'fastest-levenshtein';
import { entriesOf, isObject, type Json } from './json.js';
import { keysOf } from './key-values.js';
import { BrokerSection } from './schema/broker.js';
import { ClusterSection } from './schema/cluster.js';
import { EgressSection } from './schema/egress.js';
import { GrpcSection } from './schema/grpc.js';
import { AclEntry, KafkaSection, TopicEntry } from './schema/kafka.js';
import { LogSection } from './schema/log.js';
import { MonitorClusterEntry, MonitorSection } from './schema/monitor.js';
import { PullSection } from './schema/pull.js';
import { RedisSection } from './schema/redis.js';
import { ReplySection } from './schema/reply.js';
import { ServerSection } from './schema/server.js';
import {
  BindingEntry,
  CircuitBreakerEntry,
  DestinationEntry,
  EndpointEntry,
  NamedDestinationEntry,
  RetryBackoffEntry,
  RetryBudgetEntry,
  SigningEntry,
  SubscriptionEntry,
  SubscriptionSection,
} from './schema/subscription.js';
import { TlsSection } from './schema/tls.js';
import { TransactionSection } from './schema/transaction.js';
import { WebhookSection } from './schema/webhook.js';

type Class = new () => object;

/** The one is for editors, the other for readers. */
const freeKeys: readonly string[] = ['$schema', '$comment'];

/** The objects inside a consumer entry. */
const consumerMembers: readonly (readonly [key: string, section: Class])[] = [
  ['retryBackoff', RetryBackoffEntry],
  ['retryBudget', RetryBudgetEntry],
  ['circuitBreaker', CircuitBreakerEntry],
  ['destination', DestinationEntry],
  ['signing', SigningEntry],
];

/** The lists of objects inside a consumer entry. */
const consumerLists: readonly (readonly [key: string, section: Class])[] = [
  ['bindings', BindingEntry],
  ['endpoints', EndpointEntry],
  ['destinations', NamedDestinationEntry],
];

export function unknownKeys(raw: Json): string[] {
  const warnings: string[] = [];
  const known = [
    LogSection,
    KafkaSection,
    SubscriptionSection,
    ServerSection,
    GrpcSection,
    EgressSection,
    GrpcSection,
    MonitorSection,
    RedisSection,
    ReplySection,
    TransactionSection,
    PullSection,
    ClusterSection,
    WebhookSection,
    TlsSection,
    BrokerSection,
  ].flatMap(keysOf);
  warnOfUnknown(raw, '', known, warnings);
  const warnOfEntries = (key: string, section: Class) => {
    entriesOf<Json>(raw[key]).forEach((entry, i) => {
      warnOfUnknown(entry, `${key}[${i}].`, keysOf(section), warnings);
    });
  };
  warnOfEntries('kafka.topics', TopicEntry);
  warnOfEntries('kafka.producer.acl', AclEntry);
  warnOfEntries('monitor.clusters', MonitorClusterEntry);
  entriesOf<Json>(raw['kafka.consumer.list']).forEach((entry, i) => {
    warnings.push(...unknownKeysOfEntry(entry, `kafka.consumer.list[${i}]`));
  });
  return warnings;
}

/** Of one subscription, and of the objects in it. */
export function unknownKeysOfEntry(entry: Json, path: string): string[] {
  const warnings: string[] = [];
  warnOfUnknown(entry, `${path}.`, keysOf(SubscriptionEntry), warnings);
  for (const [key, section] of consumerMembers) {
    const member = entry[key];
    if (isObject(member)) warnOfUnknown(member, `${path}.${key}.`, keysOf(section), warnings);
  }
  for (const [key, section] of consumerLists) {
    entriesOf<Json>(entry[key]).forEach((member, n) => {
      warnOfUnknown(member, `${path}.${key}[${n}].`, keysOf(section), warnings);
    });
  }
  return warnings;
}

function warnOfUnknown(raw: Json, prefix: string, known: readonly string[], warnings: string[]): void {
  for (const key of Object.keys(raw)) {
    if (known.includes(key) || freeKeys.includes(key)) continue;
    warnings.push(
      `${prefix}${key} is not a known key and is ignored; did you mean ${prefix}${closest(key, [...known])}?`,
    );
  }
}
