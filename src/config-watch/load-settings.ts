// From a configuration file to a frozen snapshot, or to every fault in it at once.
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { collectContradictions } from './contradictions.js';
import type { Environment } from './env.js';
import { entriesOf, readJson, shown } from './json.js';
import { collectKafkaFaults, kafkaOf } from './kafka-settings.js';
import { BrokerSection } from './schema/broker.js';
import { KafkaSection } from './schema/kafka.js';
import { LogSection } from './schema/log.js';
import { ServerSection } from './schema/server.js';
import { RetryBackoffEntry, type SubscriptionEntry, SubscriptionSection } from './schema/subscription.js';
import { type Settings, SettingsError } from './settings.js';
import { subscriptionOf } from './subscription-settings.js';
import { unknownKeys } from './unknown-keys.js';

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
  collectBackoffFaults(sections.subscription, faults);
  collectContradictions(sections.kafka, sections.subscription, faults);
  collectKafkaFaults(sections.kafka, sections.broker['broker.driver'], environment, faults);
  const unknown = unknownKeys(raw);
  // A misspelled key is the likely reason for a missing one.
  if (faults.length > 0) throw new SettingsError(file, [...faults, ...unknown]);
  const settings = freeze(snapshotOf(sections, environment));
  return { settings, warnings: [...unknown, ...withoutEffect(sections)] };
}

interface Sections {
  readonly log: LogSection;
  readonly kafka: KafkaSection;
  readonly subscription: SubscriptionSection;
  readonly server: ServerSection;
  readonly broker: BrokerSection;
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

/** A list may stand in this object's place, so that its class is not asked by itself. */
function collectBackoffFaults(section: SubscriptionSection, faults: string[]): void {
  entriesOf<SubscriptionEntry>(section['kafka.consumer.list']).forEach(({ retryBackoff }, i) => {
    if (!(retryBackoff instanceof RetryBackoffEntry)) return;
    collectFaults(validateSync(retryBackoff), `kafka.consumer.list[${i}].retryBackoff`, faults);
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
    subscriptions: subscription['kafka.consumer.list'].map(subscriptionOf),
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
      kafka: kafkaOf(kafka, server['http.server.max.body.size'], environment),
    },
  };
}

/** What was set and does nothing in this version. */
function withoutEffect({ server }: Sections): string[] {
  const warnings: string[] = [];
  if (!['127.0.0.1', '::1', 'localhost'].includes(server['management.host'])) {
    warnings.push(
      'management.host is not loopback: that listener has no password yet, so whoever reaches it may use it',
    );
  }
  if (server['egress.allow'] !== undefined) {
    warnings.push('egress.allow is read, but this version does not enforce it yet');
  }
  return warnings;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
