// From a configuration file to a frozen snapshot, or to every fault in it at once.
import { readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, type ValidationError, validateSync } from 'class-validator';
import { closest } from 'fastest-levenshtein';
import { textOf } from '../message/errors.js';
import type { Environment } from './env.js';
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
import { type BackoffSettings, type Settings, SettingsError } from './settings.js';

type Class = new () => object;
type Json = Record<string, unknown>;

export interface LoadedSettings {
  readonly settings: Settings;
  /** What does no harm but is probably not what was meant. */
  readonly warnings: readonly string[];
}

/** Throws SettingsError when the file cannot be read, is no JSON object, or breaks a rule. */
export function loadSettings(file: string, environment: Environment): LoadedSettings {
  const raw = readJson(file);
  const faults: string[] = [];
  const read = <T extends object>(section: new () => T): T => {
    const instance = plainToInstance(section, raw, { excludePrefixes: ['__'] });
    collectFaults(validateSync(instance), '', faults);
    return instance;
  };
  const sections = {
    log: read(LogSection),
    kafka: read(KafkaSection),
    subscription: read(SubscriptionSection),
    server: read(ServerSection),
    broker: read(BrokerSection),
  };
  if (faults.length === 0) collectContradictions(sections.kafka, sections.subscription, faults);
  if (faults.length > 0) throw new SettingsError(file, faults);
  return { settings: freeze(snapshotOf(sections, environment)), warnings: warningsOf(raw, sections) };
}

interface Sections {
  readonly log: LogSection;
  readonly kafka: KafkaSection;
  readonly subscription: SubscriptionSection;
  readonly server: ServerSection;
  readonly broker: BrokerSection;
}

function readJson(file: string): Json {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(file, [`cannot be read: ${textOf(error)}`]);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(file, [`is not JSON: ${textOf(error)}`]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SettingsError(file, [`is not a JSON object but ${shown(value)}`]);
  }
  return value as Json;
}

/** What was found, short enough for a line, and never a secret. */
function shown(value: unknown, property = ''): string {
  if (value === undefined) return 'nothing';
  if (property === 'secret') return 'a value that is not shown';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function collectFaults(errors: readonly ValidationError[], path: string, faults: string[]): void {
  for (const error of errors) {
    const index = /^\d+$/.test(error.property);
    const here = index ? `${path}[${error.property}]` : path === '' ? error.property : `${path}.${error.property}`;
    const allowed = error.constraints?.['allowed'];
    if (allowed !== undefined) {
      faults.push(`${here}: found ${shown(error.value, error.property)}, allowed: ${allowed}`);
      continue;
    }
    collectFaults(error.children ?? [], here, faults);
  }
}

function collectContradictions(kafka: KafkaSection, subscription: SubscriptionSection, faults: string[]): void {
  const topics = new Set<string>();
  kafka['kafka.topics'].forEach((topic, i) => {
    if (topics.has(topic.name)) faults.push(`kafka.topics[${i}].name: found ${shown(topic.name)} a second time`);
    topics.add(topic.name);
  });
  const knownTopics = [...topics].map((name) => shown(name)).join(', ');
  const names = new Set<string>();
  kafka['kafka.producer.acl'].forEach((entry, i) => {
    const path = `kafka.producer.acl[${i}]`;
    if (!topics.has(entry.topic)) {
      faults.push(`${path}.topic: found ${shown(entry.topic)}, allowed: a topic of kafka.topics (${knownTopics})`);
    }
    if (names.has(entry.name)) faults.push(`${path}.name: found ${shown(entry.name)} a second time`);
    names.add(entry.name);
  });
  const claims = new Set<string>();
  subscription['kafka.consumer.list'].forEach((entry, i) => {
    const path = `kafka.consumer.list[${i}]`;
    if (!topics.has(entry.topic)) {
      faults.push(`${path}.topic: found ${shown(entry.topic)}, allowed: a topic of kafka.topics (${knownTopics})`);
    }
    const claim = `${entry.topic} ${entry.groupId}`;
    if (claims.has(claim)) faults.push(`${path}.groupId: found ${shown(entry.groupId)} a second time for this topic`);
    claims.add(claim);
    if (entry.retryBackoff.maxMs < entry.retryBackoff.initialMs) {
      faults.push(
        `${path}.retryBackoff.maxMs: found ${entry.retryBackoff.maxMs}, allowed: at least initialMs (${entry.retryBackoff.initialMs})`,
      );
    }
  });
}

function snapshotOf(sections: Sections, environment: Environment): Settings {
  const { log, kafka, subscription, server, broker } = sections;
  return {
    log: {
      level: Number(environment.BIGPIPE_LOG_LEVEL ?? log['log.level']),
      directory: log['log.directory'] ?? null,
    },
    topics: kafka['kafka.topics'].map(({ name, partitions }) => ({ name, partitions })),
    acl: kafka['kafka.producer.acl'].map(({ name, secret, topic }) => ({ name, secret, topic })),
    subscriptions: subscription['kafka.consumer.list'].map((entry) => ({
      topic: entry.topic,
      groupId: entry.groupId,
      ratePerSecond: entry.rateLimit,
      timeoutMs: entry.timeout,
      retries: entry.retries,
      concurrency: entry.concurrency,
      backoff: backoffOf(entry.retryBackoff),
    })),
    producer: {
      acks: kafka['kafka.producer.acks'],
      maxWaiting: server['http.server.handler.channel.size'] ?? server['kafka.producer.channel.size'] ?? 100_000,
      maxWaitingBytes: server['http.server.handler.channel.bytes'],
    },
    server: {
      host: environment.BIGPIPE_HOST ?? server['http.server.host'],
      port: Number(environment.BIGPIPE_PORT ?? server['http.server.port']),
      readTimeoutMs: server['http.server.read.timeout'],
      writeTimeoutMs: server['http.server.write.timeout'],
      maxBodyBytes: server['http.server.max.body.size'],
      maxConnections: server['http.server.max.connections'],
    },
    management: {
      host: environment.BIGPIPE_MANAGEMENT_HOST ?? server['management.host'],
      port: Number(environment.BIGPIPE_MANAGEMENT_PORT ?? server['management.port']),
    },
    broker: {
      driver: broker['broker.driver'],
      embedded: {
        directory: environment.BIGPIPE_DATA_DIR ?? broker['broker.embedded.directory'],
        fsync: broker['broker.embedded.fsync'],
        retentionMs: broker['broker.embedded.retention.ms'],
        retentionBytes: broker['broker.embedded.retention.bytes'],
        maxBytes: broker['broker.embedded.max.bytes'],
        retentionHardMs: broker['broker.embedded.retention.hard.ms'],
        offsetsRetentionMs: broker['broker.embedded.offsets.retention.ms'],
        tailBytes: broker['broker.embedded.tail.bytes'],
      },
      memory: { maxBytes: broker['broker.memory.max.bytes'] },
    },
  };
}

function backoffOf({ initialMs, maxMs, factor, jitter }: RetryBackoffEntry): BackoffSettings {
  return { initialMs, maxMs, factor, jitter };
}

function warningsOf(raw: Json, sections: Sections): string[] {
  const warnings: string[] = [];
  const known = [LogSection, KafkaSection, SubscriptionSection, ServerSection, BrokerSection].flatMap(keysOf);
  warnOfUnknown(raw, '', known, warnings);
  const entries = (key: string) => raw[key] as Json[];
  entries('kafka.topics').forEach((entry, i) => {
    warnOfUnknown(entry, `kafka.topics[${i}].`, keysOf(TopicEntry), warnings);
  });
  entries('kafka.producer.acl').forEach((entry, i) => {
    warnOfUnknown(entry, `kafka.producer.acl[${i}].`, keysOf(AclEntry), warnings);
  });
  entries('kafka.consumer.list').forEach((entry, i) => {
    const path = `kafka.consumer.list[${i}]`;
    warnOfUnknown(entry, `${path}.`, keysOf(SubscriptionEntry), warnings);
    const { retryBackoff, circuitBreaker } = entry as { retryBackoff?: Json; circuitBreaker?: Json };
    if (retryBackoff) warnOfUnknown(retryBackoff, `${path}.retryBackoff.`, keysOf(RetryBackoffEntry), warnings);
    if (circuitBreaker) {
      warnOfUnknown(circuitBreaker, `${path}.circuitBreaker.`, keysOf(CircuitBreakerEntry), warnings);
      warnings.push(`${path}.circuitBreaker is read and checked, but this version has no circuit breaker yet`);
    }
  });
  if (sections.server['egress.allow'] !== undefined) {
    warnings.push('egress.allow is read, but this version does not enforce it yet');
  }
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

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
