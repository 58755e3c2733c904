// The settings as the program reads them: validated, in words and units of their own, frozen.

import type { SigningSettings } from '../message/delivery.js';
import type { EgressAllowance } from '../message/egress-rules.js';
import type { Acks } from '../message/message.js';
import type { Verdicts } from '../message/verdict.js';
import type { OriginPattern } from './origin-pattern.js';
import type { SecretForm } from './secret-form.js';

export interface TopicSettings {
  readonly name: string;
  readonly partitions: number;
}

export interface AclSettings {
  readonly name: string;
  /** Any of them is right. */
  readonly secrets: readonly SecretForm[];
  /** Where calls go that name no topic. */
  readonly topic: string;
  /** Others that it may write. */
  readonly topics: readonly string[];
  /** Where its calls may go; null: anywhere. */
  readonly allow: readonly OriginPattern[] | null;
  /** Who is asked about its transactions that name nobody themselves. */
  readonly checkUrls: readonly string[];
  /** Groups whose messages it may fetch. */
  readonly pull: readonly string[];
  /** How many calls it may make; null: any number. */
  readonly rate: RateSettings | null;
}

export interface BackoffCurve {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  readonly jitter: 'full' | 'none';
}

/** A curve, or the waits one by one; the last one stands for all that follow. */
export type BackoffSettings = BackoffCurve | readonly number[];

export interface RateSettings {
  readonly perSecond: number;
  /** How many may go at once after a pause, at least 1. */
  readonly burst: number;
}

/** `min` = `max`: fixed; otherwise the limit follows what the receiver shows it can bear. */
export interface ConcurrencySettings {
  readonly min: number;
  readonly max: number;
}

export interface CircuitSettings {
  readonly breakPeriodMs: number;
  readonly recoverPeriodMs: number;
  readonly windowSeconds: number;
  readonly minStats: number;
  readonly healthRate: number;
}

export interface RetryBudgetSettings {
  /** Of all attempts, from 0 to 1. */
  readonly share: number;
  /** So many retries a second are always allowed. */
  readonly floorPerSecond: number;
}

/** What one destination of a subscription may get at most; null: nothing but the subscription's own limits. */
export interface DestinationSettings {
  readonly rate: RateSettings | null;
  readonly concurrency: ConcurrencySettings | null;
}

/** Several origins under one name: they share limits, circuit and order. */
export interface NamedDestinationSettings extends DestinationSettings {
  readonly name: string;
  readonly origins: readonly string[];
}

export const orderings = ['key', 'partition', 'none'] as const;
export type Ordering = (typeof orderings)[number];

/**
 * What becomes of a key whose message failed for good: it goes on behind the dead letter, waits until that one is
 * delivered, or follows it to the dead letters until a redrive brings all of it back.
 */
export const poisons = ['skip', 'block', 'park'] as const;
export type Poison = (typeof poisons)[number];

/** Over which processes a subscription's rates hold. */
export const rateScopes = ['node', 'cluster'] as const;
export type RateScope = (typeof rateScopes)[number];

/** Which types of its topic a subscription gets: one, those that a pattern describes, or all. */
export type BindingSettings =
  | { readonly kind: 'direct'; readonly type: string }
  | { readonly kind: 'regex'; readonly type: string; readonly isAnchored: boolean }
  | { readonly kind: 'fanout' };

export const endpointChoices = ['round-robin', 'least-in-flight', 'sticky'] as const;
export type EndpointChoice = (typeof endpointChoices)[number];

/** One receiver of a group. */
export interface EndpointSettings {
  readonly url: string;
  /** Beside the others': twice the weight gets twice as much. */
  readonly weight: number;
  /** null: the subscription's. */
  readonly warmupMs: number | null;
}

/** By partition: one offset for all, or one for each. */
export type StartAt = 'earliest' | 'latest' | { readonly timeMs: number } | { readonly offsets: readonly string[] };

/** A condition on a message's attributes (message/attributes.ts). */
export type EventFilter =
  | {
      readonly kind: 'exact' | 'prefix' | 'suffix';
      readonly attributes: readonly (readonly [name: string, text: string])[];
    }
  | { readonly kind: 'all' | 'any'; readonly filters: readonly EventFilter[] }
  | { readonly kind: 'not'; readonly filter: EventFilter };

export interface SubscriptionSettings {
  readonly topic: string;
  readonly groupId: string;
  /** Any of them is enough; none: all types, and messages without one. */
  readonly bindings: readonly BindingSettings[];
  /** All of them must hold. */
  readonly filters: readonly EventFilter[];
  /** Where a message goes that names no URL; null: to the dead letters. */
  readonly url: string | null;
  /** Its messages are fetched by whoever may; nothing is sent. */
  readonly isPulled: boolean;
  /** The group of receivers for messages that name no URL; null: there is none. */
  readonly endpoints: readonly EndpointSettings[] | null;
  readonly choice: EndpointChoice;
  /** false: what comes while its group has no endpoint is dropped, and counted. */
  readonly durable: boolean;
  /** Nothing goes to its own receivers before they have agreed to it (CloudEvents' webhook handshake). */
  readonly needsConsent: boolean;
  /** Where a group begins that has never been served: a time in Unix milliseconds, an offset, an end. */
  readonly startAt: StartAt;
  /** Path and query of the requests for messages that name no URL (message/request-shape.ts); null: as the receiver's URL says. */
  readonly uri: string | null;
  /** Further headers of the same requests: names in lower case, and values. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Which methods of msgpack bodies it gets; null: bodies are not looked at. */
  readonly methods: readonly string[] | null;
  readonly ordering: Ordering;
  readonly rate: RateSettings;
  readonly rateScope: RateScope;
  readonly concurrency: ConcurrencySettings;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly backoff: BackoffSettings;
  readonly retryBudget: RetryBudgetSettings;
  readonly poison: Poison;
  /** null: what cannot be delivered is counted, logged and lost. */
  readonly deadLetterTopic: string | null;
  /** The longest that a receiver's Retry-After is obeyed. */
  readonly retryAfterMaxMs: number;
  readonly verdicts: Verdicts;
  readonly maxAnswerBytes: number;
  /** null: requests are not signed. */
  readonly signing: SigningSettings | null;
  /** null: no circuit breaker. */
  readonly circuit: CircuitSettings | null;
  /** 0: no warm-up. */
  readonly warmupMs: number;
  /** For each destination that has no name. */
  readonly destination: DestinationSettings;
  readonly destinations: readonly NamedDestinationSettings[];
  /** bigpipe's own, to which the end of every delivery is written, with the receiver's answer; null: none. */
  readonly answerTopic: string | null;
}

export interface LogSettings {
  /** 1 FATAL to 5 DEBUG; 0 nothing. */
  readonly level: number;
  readonly directory: string | null;
  /** Of the messages that are stored and delivered, those that are told of: 0 to 1. */
  readonly sample: number;
}

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** null: not encrypted. */
  readonly tls: TlsFileNames | null;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** Paths that the main listener does not serve, although there is something. */
  readonly closedPages: readonly string[];
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly maxConnections: number;
  /** Not ready, and still serving, before the doors close. */
  readonly stopDelayMs: number;
  /** Processes that the main listener is in; 0: this one. */
  readonly workers: number;
}

export interface GrpcSettings {
  /** null: there is no such door. */
  readonly port: number | null;
  readonly host: string;
  /** null: not encrypted. */
  readonly tls: TlsFileNames | null;
  /** Calls and streams of one connection. */
  readonly maxStreams: number;
}

/** PEM files; null: none. */
export interface TlsFileNames {
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** Of a listener: who signs its callers' certificates. Of receivers: whom to trust beside the system's own. */
  readonly caFile: string | null;
}

export interface EgressTlsSettings extends TlsFileNames {
  /** Which receivers are shown the certificate; null: all that ask. */
  readonly origins: readonly OriginPattern[] | null;
}

export interface EgressSettings extends EgressAllowance {
  /** address:port; null: names are looked up as the system does. */
  readonly dnsServers: readonly string[] | null;
  readonly tls: EgressTlsSettings;
}

export interface ReplySettings {
  readonly ttlMs: number;
  /** Of an answer's body. */
  readonly maxBytes: number;
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

export interface PullSettings {
  /** Requests and streams that wait for messages at the same moment. */
  readonly maxWaiting: number;
  readonly maxWaitMs: number;
}

export interface ClusterSettings {
  /** null: no node asks another one. */
  readonly secret: string | null;
  /** An origin; null: what the listener's address says. */
  readonly advertise: string | null;
}

export interface WebhookSettings {
  /** The DNS name under which receivers are asked for their consent; null: none is asked. */
  readonly origin: string | null;
  /** How long a consent holds. */
  readonly consentMs: number;
}

export interface RedisSettings {
  /** null: each node by itself. */
  readonly url: string | null;
  readonly prefix: string;
}

export interface ManagementSettings {
  readonly host: string;
  readonly port: number;
  /** null: not encrypted. */
  readonly tls: TlsFileNames | null;
  /** null: on loopback only. */
  readonly token: string | null;
  /** Paths that may be read without it. */
  readonly open: readonly string[];
}

/** How many messages a topic may take. */
export interface TopicLimitSettings {
  readonly topic: string;
  readonly rate: RateSettings;
}

export interface ProducerSettings {
  readonly acks: Acks;
  readonly maxWaiting: number;
  readonly maxWaitingBytes: number;
  readonly topicLimits: readonly TopicLimitSettings[];
}

export interface CommitSettings {
  readonly acks: Acks;
  /** May be written to without a name. */
  readonly openTopics: readonly string[];
}

/** What becomes of a transaction that is undecided when its time is over. */
export const ttlEnds = ['dead-letter', 'rollback', 'commit'] as const;

export interface TransactionSettings {
  readonly enabled: boolean;
  readonly firstCheckMs: number;
  readonly intervalMs: number;
  readonly maxIntervalMs: number;
  readonly maxChecks: number;
  readonly ttlMs: number;
  readonly onTtl: (typeof ttlEnds)[number];
  readonly maxUndecided: number;
  readonly rememberMs: number;
  readonly maxRemembered: number;
}

export interface IdempotencySettings {
  readonly ttlMs: number;
  readonly maxKeys: number;
}

export interface EmbeddedBrokerSettings {
  readonly directory: string;
  readonly fsync: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  /** 0: the disk is the bound. */
  readonly maxBytes: number;
  /** 0: never. */
  readonly retentionHardMs: number;
  readonly offsetsRetentionMs: number;
  readonly tailBytes: number;
}

export interface KafkaTlsSettings {
  /** PEM files; null: the system's own authorities, no certificate of ours. */
  readonly caFile: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
  /** false: the nodes' certificates are not checked. */
  readonly verify: boolean;
}

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

export interface KafkaSaslSettings {
  readonly mechanism: (typeof saslMechanisms)[number];
  readonly username: string;
  readonly password: string;
}

export const kafkaCompressions = ['none', 'gzip', 'zstd'] as const;
export const offsetStores = ['kafka', 'redis'] as const;
export const kafkaFormats = ['bigpipe', 'bigpipe-go'] as const;

export interface KafkaBrokerSettings {
  /** host:port of some nodes; the others are found. */
  readonly servers: readonly string[];
  readonly clientId: string;
  /** null: not encrypted. */
  readonly tls: KafkaTlsSettings | null;
  readonly sasl: KafkaSaslSettings | null;
  /** How messages are written to the topics of callers; both are read. */
  readonly format: (typeof kafkaFormats)[number];
  /** Of topics that are made; 0: three, or as many as there are nodes. */
  readonly replicationFactor: number;
  /** Of topics that are made. */
  readonly maxMessageBytes: number;
  readonly maxMetadataBytes: number;
  /** Where marks are kept: in Kafka, and in Redis a second time. */
  readonly offsetStore: (typeof offsetStores)[number];
  readonly producer: {
    readonly retries: number;
    readonly timeoutMs: number;
    readonly lingerMs: number;
    readonly compression: (typeof kafkaCompressions)[number];
    readonly maxWaitingBytes: number;
  };
  readonly consumer: {
    readonly sessionTimeoutMs: number;
    readonly heartbeatMs: number;
    readonly maxWaitMs: number;
    readonly maxBufferBytes: number;
  };
}

export interface BrokerSettings {
  readonly driver: 'embedded' | 'memory' | 'kafka';
  readonly embedded: EmbeddedBrokerSettings;
  readonly kafka: KafkaBrokerSettings;
  readonly memory: { readonly maxBytes: number };
}

export interface MonitoredCluster {
  readonly name: string;
  /** null: the broker of this process. */
  readonly kafka: KafkaBrokerSettings | null;
}

export interface MonitorSettings {
  readonly intervalMs: number;
  readonly clusters: readonly MonitoredCluster[];
}

/** Of messages whose caller gave none: by chance, or numbers from Redis. */
export const messageIdForms = ['ulid', 'counter'] as const;
export type MessageIdForm = (typeof messageIdForms)[number];

export interface Settings {
  readonly log: LogSettings;
  readonly topics: readonly TopicSettings[];
  readonly acl: readonly AclSettings[];
  readonly subscriptions: readonly SubscriptionSettings[];
  readonly producer: ProducerSettings;
  readonly commit: CommitSettings;
  readonly idempotency: IdempotencySettings;
  readonly transaction: TransactionSettings;
  readonly server: ServerSettings;
  readonly grpc: GrpcSettings;
  readonly management: ManagementSettings;
  readonly egress: EgressSettings;
  readonly reply: ReplySettings;
  readonly pull: PullSettings;
  readonly webhook: WebhookSettings;
  readonly redis: RedisSettings;
  readonly cluster: ClusterSettings;
  readonly messageIds: MessageIdForm;
  readonly broker: BrokerSettings;
  readonly monitor: MonitorSettings;
}

/** Every fault of a configuration at once, one line each: key path, what was found, what is allowed. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(
    readonly source: string,
    readonly faults: readonly string[],
  ) {
    super(`${source}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  }
}
