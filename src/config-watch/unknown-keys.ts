// Keys that nobody reads, each with the known one that was probably meant.
import { getMetadataStorage } from 'class-validator';
import { closest } from 'fastest-levenshtein';
import { entriesOf, isObject, type Json } from './json.js';
import { BrokerSection } from './schema/broker.js';
import { AclEntry, KafkaSection, TopicEntry } from './schema/kafka.js';
import { LogSection } from './schema/log.js';
import { ServerSection } from './schema/server.js';
import {
  CircuitBreakerEntry,
  RetryBackoffEntry,
  SubscriptionEntry,
  SubscriptionSection,
} from './schema/subscription.js';

type Class = new () => object;

export function unknownKeys(raw: Json): string[] {
  const warnings: string[] = [];
  const known = [LogSection, KafkaSection, SubscriptionSection, ServerSection, BrokerSection].flatMap(keysOf);
  warnOfUnknown(raw, '', known, warnings);
  const warnOfEntries = (key: string, section: Class) => {
    entriesOf<Json>(raw[key]).forEach((entry, i) => {
      warnOfUnknown(entry, `${key}[${i}].`, keysOf(section), warnings);
    });
  };
  warnOfEntries('kafka.topics', TopicEntry);
  warnOfEntries('kafka.producer.acl', AclEntry);
  warnOfEntries('kafka.consumer.list', SubscriptionEntry);
  entriesOf<Json>(raw['kafka.consumer.list']).forEach(({ retryBackoff, circuitBreaker }, i) => {
    const path = `kafka.consumer.list[${i}]`;
    if (isObject(retryBackoff))
      warnOfUnknown(retryBackoff, `${path}.retryBackoff.`, keysOf(RetryBackoffEntry), warnings);
    if (isObject(circuitBreaker)) {
      warnOfUnknown(circuitBreaker, `${path}.circuitBreaker.`, keysOf(CircuitBreakerEntry), warnings);
    }
  });
  return warnings;
}

function warnOfUnknown(raw: Json, prefix: string, known: readonly string[], warnings: string[]): void {
  for (const key of Object.keys(raw)) {
    // "$schema" is for editors.
    if (known.includes(key) || key === '$schema') continue;
    warnings.push(
      `${prefix}${key} is not a known key and is ignored; did you mean ${prefix}${closest(key, [...known])}?`,
    );
  }
}

function keysOf(section: Class): string[] {
  const rules = getMetadataStorage().getTargetValidationMetadatas(section, '', false, false);
  return [...new Set(rules.map((rule) => rule.propertyName))];
}
