// From a configuration file to a frozen snapshot, or to every fault in it at once.
import { isIPv4 } from 'node:net';
import { availableParallelism } from 'node:os';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { aclOf } from './acl-settings.js';
import { describeChange } from './change.js';
import { oneText, readConfig } from './config-files.js';
import { collectContradictions, collectOpenTopics } from './contradictions.js';
import { egressOf } from './egress-settings.js';
import type { Environment } from './env.js';
import { Faults } from './faults.js';
import { entriesOf, type Json, parseJson } from './json.js';
import { collectKafkaFaults, kafkaOf } from './kafka-settings.js';
import { KeyValues, keysOf, valuesOf } from './key-values.js';
import { Mask } from './mask.js';
import type { MergedFiles } from './merged-files.js';
import { collectMonitorFaults, monitorOf } from './monitor-settings.js';
import { type ReferenceSources, resolveReferences } from './references.js';
import { needsRestart } from './restart-keys.js';
import { BrokerSection } from './schema/broker.js';
import { ClusterSection } from './schema/cluster.js';
import { EgressSection } from './schema/egress.js';
import { GrpcSection } from './schema/grpc.js';
import { KafkaSection, type TopicEntry } from './schema/kafka.js';
import { LogSection } from './schema/log.js';
import { MonitorSection } from './schema/monitor.js';
import { PullSection } from './schema/pull.js';
import { RedisSection } from './schema/redis.js';
import { ReplySection } from './schema/reply.js';
import { mainPages, ServerSection } from './schema/server.js';
import { RetryBackoffEntry, type SubscriptionEntry, SubscriptionSection } from './schema/subscription.js';
import { TlsSection } from './schema/tls.js';
import { TransactionSection } from './schema/transaction.js';
import { WebhookSection } from './schema/webhook.js';
import { type GrpcSettings, type Settings, SettingsError, type TopicLimitSettings } from './settings.js';
import { subscriptionOf } from './subscription-settings.js';
import { collectTlsFaults, listenerTlsOf } from './tls-settings.js';
import { checkSubscriptionOf, checkTopicSettings, transactionOf } from './transaction-settings.js';
import { unknownKeys } from './unknown-keys.js';

export interface LoadedSettings {
  /** Those in force: what needs a restart is as at the first load. */
  readonly settings: Settings;
  /** The same in the file's own keys. */
  readonly keys: KeyValues;
  /** What does no harm but is probably not what was meant. */
  readonly warnings: readonly string[];
  /** What the file says and only a restart brings, one line each. */
  readonly pendingRestart: readonly string[];
}

export interface LoadParts extends ReferenceSources {
  /** What the process started with; null at its start. */
  readonly started: KeyValues | null;
}

/** Throws SettingsError when a file cannot be read, is no JSON object, or breaks a rule. */
export function loadSettings(file: string, environment: Environment, parts: LoadParts = noParts()): LoadedSettings {
  return settingsOf(file, readConfig(file), environment, parts);
}

/** The same for a text that stands in no file. */
export function parseSettings(text: string, environment: Environment, parts: LoadParts): LoadedSettings {
  const source = 'the text';
  return settingsOf(source, oneText(parseJson(source, text)), environment, parts);
}

const noParts = (): LoadParts => ({ variables: {}, referred: new Set(), started: null });

function settingsOf(source: string, files: MergedFiles, environment: Environment, parts: LoadParts): LoadedSettings {
  const mask = new Mask();
  const faults = new Faults(mask);
  const raw = resolveReferences(files.raw, parts, mask, faults);
  const sections = readSections(raw, faults);
  collectContradictions(sections.kafka, sections.subscription, faults);
  collectOpenTopics(sections.kafka, sections.server, faults);
  collectKafkaFaults(sections.kafka, sections.broker['broker.driver'], environment, faults);
  collectTlsFaults(sections.tls, faults);
  collectRedisFaults(sections, environment, faults);
  collectMonitorFaults(sections.monitor, faults);
  collectWebhookFaults(sections, faults);
  collectManagementFaults(sections.server, environment, parts.started, faults);
  const unknown = unknownKeys(raw);
  if (faults.lines.length > 0) {
    // A misspelled key is the likely reason for a missing one.
    throw new SettingsError(source, [...faults.lines.map((line) => files.located(line)), ...unknown]);
  }
  const { keys, pendingRestart } = pinned(sections, environment, mask, parts.started);
  const settings = freeze(snapshotOf(sections, environment));
  return { settings, keys, warnings: unknown, pendingRestart };
}

function readSections(raw: Json, faults: Faults): Sections {
  const read = <T extends object>(section: new () => T): T => {
    // Of its own keys only: the whole file once for each section would be five times the work of a reload.
    const own = Object.fromEntries(keysOf(section).flatMap((key) => (key in raw ? [[key, raw[key]]] : [])));
    const instance = plainToInstance(section, own, { excludePrefixes: ['__'] });
    collectFaults(validateSync(instance), '', faults);
    return instance;
  };
  const sections = {
    log: read(LogSection),
    kafka: read(KafkaSection),
    subscription: read(SubscriptionSection),
    server: read(ServerSection),
    grpc: read(GrpcSection),
    egress: read(EgressSection),
    tls: read(TlsSection),
    broker: read(BrokerSection),
    reply: read(ReplySection),
    pull: read(PullSection),
    redis: read(RedisSection),
    cluster: read(ClusterSection),
    transaction: read(TransactionSection),
    monitor: read(MonitorSection),
    webhook: read(WebhookSection),
  };
  collectBackoffFaults(sections.subscription, faults);
  return sections;
}

/** Gives keys that need a restart the values that the process started with. */
function pinned(sections: Sections, environment: Environment, mask: Mask, started: KeyValues | null) {
  const values = { ...valuesOf(Object.values(sections)), ...environmentKeys(environment) };
  if (started === null) return { keys: new KeyValues(values, mask), pendingRestart: [] };
  const [before, after] = [started.values, values].map(
    (all) => Object.fromEntries(Object.entries(all).filter(([key]) => needsRestart(key))) as Json,
  ) as [Json, Json];
  const changes = describeChange(new KeyValues(before, started.mask), new KeyValues(after, mask));
  const inForce = { ...Object.fromEntries(Object.entries(values).filter(([key]) => !needsRestart(key))), ...before };
  for (const section of Object.values(sections) as object[]) {
    for (const key of keysOf(section.constructor as new () => object)) {
      if (needsRestart(key)) Object.assign(section, { [key]: before[key] });
    }
  }
  mask.addAll(started.mask);
  const pendingRestart = changes.map((change) => `${change} (needs a restart)`);
  return { keys: new KeyValues(inForce, mask), pendingRestart };
}

/** What the environment says in place of the file. */
function environmentKeys(environment: Environment): Json {
  const level = environment.BIGPIPE_LOG_LEVEL;
  const port = environment.BIGPIPE_PORT;
  const grpcPort = environment.BIGPIPE_GRPC_PORT;
  const managementPort = environment.BIGPIPE_MANAGEMENT_PORT;
  const workers = environment.BIGPIPE_WORKERS;
  const keys: Json = {
    'log.level': level === undefined ? undefined : Number(level),
    'http.server.host': environment.BIGPIPE_HOST,
    'http.server.port': port === undefined ? undefined : Number(port),
    'http.server.workers': workers === undefined || workers === 'auto' ? workers : Number(workers),
    'grpc.server.port': grpcPort === undefined ? undefined : Number(grpcPort),
    'management.host': environment.BIGPIPE_MANAGEMENT_HOST,
    'management.token': environment.BIGPIPE_MANAGEMENT_TOKEN,
    'management.port': managementPort === undefined ? undefined : Number(managementPort),
    'cluster.advertise': environment.BIGPIPE_ADVERTISE,
    'cluster.secret': environment.BIGPIPE_CLUSTER_SECRET,
    'broker.embedded.directory': environment.BIGPIPE_DATA_DIR,
    'kafka.bootstrap.servers': environment.KAFKA_BROKERS,
    'kafka.sasl.password': environment.BIGPIPE_KAFKA_PASSWORD,
  };
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
}

interface Sections {
  readonly log: LogSection;
  readonly kafka: KafkaSection;
  readonly subscription: SubscriptionSection;
  readonly server: ServerSection;
  readonly grpc: GrpcSection;
  readonly egress: EgressSection;
  readonly tls: TlsSection;
  readonly broker: BrokerSection;
  readonly reply: ReplySection;
  readonly pull: PullSection;
  readonly redis: RedisSection;
  readonly cluster: ClusterSection;
  readonly transaction: TransactionSection;
  readonly monitor: MonitorSection;
  readonly webhook: WebhookSection;
}

export function collectFaults(errors: readonly ValidationError[], path: string, faults: Faults): void {
  for (const error of errors) {
    const index = /^\d+$/.test(error.property);
    const here = index ? `${path}[${error.property}]` : path === '' ? error.property : `${path}.${error.property}`;
    const allowed = error.constraints?.['allowed'];
    if (allowed !== undefined) {
      faults.push(`${here}: found ${faults.shown(error.value, error.property)}, allowed: ${allowed}`);
      continue;
    }
    collectFaults(error.children ?? [], here, faults);
  }
}

/** A list may stand in this object's place, so that its class is not asked by itself. */
function collectBackoffFaults(section: SubscriptionSection, faults: Faults): void {
  entriesOf<SubscriptionEntry>(section['kafka.consumer.list']).forEach((entry, i) => {
    collectBackoffFault(entry, `kafka.consumer.list[${i}]`, faults);
  });
}

export function collectBackoffFault({ retryBackoff }: SubscriptionEntry, path: string, faults: Faults): void {
  if (retryBackoff instanceof RetryBackoffEntry) {
    collectFaults(validateSync(retryBackoff), `${path}.retryBackoff`, faults);
  }
}

function snapshotOf(sections: Sections, environment: Environment): Settings {
  const { log, kafka, subscription, server, grpc, egress, tls, broker, reply, pull, redis, monitor } = sections;
  const { transaction, cluster, webhook } = sections;
  const ofChecks = transaction['transaction.enabled'];
  return {
    log: {
      level: Number(environment.BIGPIPE_LOG_LEVEL ?? log['log.level']),
      directory: log['log.directory'] ?? null,
      sample: log['log.sample'],
    },
    topics: [
      ...kafka['kafka.topics'].map(({ name, partitions }) => ({ name, partitions })),
      ...(ofChecks ? [checkTopicSettings] : []),
    ],
    acl: kafka['kafka.producer.acl'].map(aclOf),
    subscriptions: [
      ...subscription['kafka.consumer.list'].map(subscriptionOf),
      ...(ofChecks ? [checkSubscriptionOf(transaction)] : []),
    ],
    producer: {
      acks: kafka['kafka.producer.acks'],
      maxWaiting: server['http.server.handler.channel.size'] ?? server['kafka.producer.channel.size'] ?? 100_000,
      maxWaitingBytes: server['http.server.handler.channel.bytes'],
      topicLimits: kafka['kafka.topics'].flatMap(topicLimitOf),
    },
    commit: { acks: server['commit.default.acks'], openTopics: server['commit.open.topics'] },
    idempotency: { ttlMs: server['idempotency.ttl'], maxKeys: server['idempotency.max.keys'] },
    transaction: transactionOf(transaction),
    server: {
      host: environment.BIGPIPE_HOST ?? server['http.server.host'],
      port: Number(environment.BIGPIPE_PORT ?? server['http.server.port']),
      tls: listenerTlsOf(tls, 'http.server.tls'),
      readTimeoutMs: server['http.server.read.timeout'],
      writeTimeoutMs: server['http.server.write.timeout'],
      maxBodyBytes: server['http.server.max.body.size'],
      closedPages: mainPages.filter((page) => !server['http.server.pages'].includes(page)),
      maxHeaderBytes: server['http.server.max.header.size'],
      maxHeaders: server['http.server.max.headers'],
      maxConnections: server['http.server.max.connections'],
      stopDelayMs: server['http.server.stop.delay'],
      workers: workersOf(environment.BIGPIPE_WORKERS ?? server['http.server.workers']),
    },
    grpc: grpcOf(grpc, tls, environment),
    management: {
      host: environment.BIGPIPE_MANAGEMENT_HOST ?? server['management.host'],
      port: Number(environment.BIGPIPE_MANAGEMENT_PORT ?? server['management.port']),
      tls: listenerTlsOf(tls, 'management.tls'),
      token: environment.BIGPIPE_MANAGEMENT_TOKEN ?? server['management.token'] ?? null,
      open: server['management.open'],
    },
    egress: egressOf(egress, tls),
    reply: {
      ttlMs: reply['reply.ttl'],
      maxBytes: reply['reply.max.bytes'],
      maxWaiting: reply['reply.max.waiting'],
      maxWaitMs: reply['reply.max.wait'],
    },
    pull: { maxWaiting: pull['pull.max.waiting'], maxWaitMs: pull['pull.max.wait'] },
    webhook: { origin: webhook['webhook.origin'] ?? null, consentMs: webhook['webhook.consent.ttl'] },
    redis: { url: environment.BIGPIPE_REDIS_URL ?? redis['redis.url'] ?? null, prefix: redis['redis.prefix'] },
    cluster: {
      secret: environment.BIGPIPE_CLUSTER_SECRET ?? cluster['cluster.secret'] ?? null,
      advertise: environment.BIGPIPE_ADVERTISE ?? cluster['cluster.advertise'] ?? null,
    },
    messageIds: server['message.ids'],
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
    monitor: monitorOf(monitor, kafka, environment),
  };
}

function grpcOf(grpc: GrpcSection, tls: TlsSection, { BIGPIPE_GRPC_PORT: port }: Environment): GrpcSettings {
  return {
    port: port === undefined ? (grpc['grpc.server.port'] ?? null) : Number(port),
    host: grpc['grpc.server.host'],
    tls: listenerTlsOf(tls, 'grpc.server.tls'),
    maxStreams: grpc['grpc.server.max.streams'],
  };
}

/** What makes no sense on one node's own. */
function collectRedisFaults({ redis, server, kafka }: Sections, environment: Environment, faults: Faults): void {
  if ((environment.BIGPIPE_REDIS_URL ?? redis['redis.url']) !== undefined) return;
  if (server['message.ids'] === 'counter')
    faults.push('message.ids: found "counter", allowed: beside a redis.url only');
  if (kafka['kafka.offset.store'] === 'redis')
    faults.push('kafka.offset.store: found "redis", allowed: beside a redis.url only');
}

/** Who is asked wants to know by whom. */
function collectWebhookFaults({ webhook, subscription }: Sections, faults: Faults): void {
  if (webhook['webhook.origin'] !== undefined) return;
  const at = entriesOf<SubscriptionEntry>(subscription['kafka.consumer.list']).findIndex(
    ({ handshake }) => handshake === 'required',
  );
  if (at === -1) return;
  const why = `kafka.consumer.list[${at}].handshake is "required"`;
  faults.push(`webhook.origin: found nothing, allowed: the DNS name of this bigpipe, since ${why}`);
}

function topicLimitOf({ name, rateLimit, burst }: TopicEntry): TopicLimitSettings[] {
  if (rateLimit === undefined) return [];
  return [{ topic: name, rate: { perSecond: rateLimit, burst: burst ?? Math.max(1, rateLimit) } }];
}

/** Auto leaves one processor to the log and the deliveries, and where there are two it takes calls as well. Above two it is a guess: there was no machine to measure it on. */
function workersOf(asked: number | string): number {
  return asked === 'auto' ? Math.max(0, availableParallelism() - 1) : Number(asked);
}

/** Without a token nothing but the place protects that listener. */
function collectManagementFaults(
  server: ServerSection,
  environment: Environment,
  started: KeyValues | null,
  faults: Faults,
): void {
  // It stays where it was opened until a restart.
  const open = started?.values['management.host'];
  const host = typeof open === 'string' ? open : (environment.BIGPIPE_MANAGEMENT_HOST ?? server['management.host']);
  const token = environment.BIGPIPE_MANAGEMENT_TOKEN ?? server['management.token'];
  if (token !== undefined || isLoopback(host)) return;
  faults.push(`management.token: found nothing, allowed: a token, since management.host is ${faults.shown(host)}`);
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

/** Deeply; returns its argument. */
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
