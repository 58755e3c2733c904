// The settings as the program reads them: validated, in words and units of their own, frozen.
import type { Acks } from '../message/message.js';

export interface TopicSettings {
  readonly name: string;
  readonly partitions: number;
}

export interface AclSettings {
  readonly name: string;
  readonly secret: string;
  readonly topic: string;
}

export interface BackoffSettings {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly factor: number;
  readonly jitter: 'full' | 'none';
}

export interface SubscriptionSettings {
  readonly topic: string;
  readonly groupId: string;
  readonly ratePerSecond: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly concurrency: number;
  readonly backoff: BackoffSettings;
}

export interface LogSettings {
  /** 1 FATAL to 5 DEBUG. */
  readonly level: number;
  readonly directory: string | null;
}

export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  readonly readTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
}

export interface ListenerSettings {
  readonly host: string;
  readonly port: number;
}

export interface ProducerSettings {
  readonly acks: Acks;
  readonly maxWaiting: number;
  readonly maxWaitingBytes: number;
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

export interface BrokerSettings {
  readonly driver: 'embedded' | 'memory';
  readonly embedded: EmbeddedBrokerSettings;
  readonly memory: { readonly maxBytes: number };
}

export interface Settings {
  readonly log: LogSettings;
  readonly topics: readonly TopicSettings[];
  readonly acl: readonly AclSettings[];
  readonly subscriptions: readonly SubscriptionSettings[];
  readonly producer: ProducerSettings;
  readonly server: ServerSettings;
  readonly management: ListenerSettings;
  readonly broker: BrokerSettings;
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
