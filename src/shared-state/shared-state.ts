// THE PORT over what several nodes have to know of one another for a while: values with a time to live, channels, buckets and numbers.
import type { BucketLimit, Taken } from './bucket.js';

export interface SharedStateHealth {
  /** False: it is no use to ask now. It becomes true by itself. */
  readonly ok: boolean;
  readonly detail: string;
  /** How often it was lost since the process began. */
  readonly losses: number;
}

/** Called with each message of a channel, in the order in which one sender published them. Must not throw. */
export type ChannelListener = (message: Buffer) => void;

/**
 * Nothing here is durable: what must not be lost belongs into the broker. Every call but `open`, `isWorthAsking`, `health` and `close`
 * rejects with `unavailable`, within half a second, while the state cannot be reached; whoever calls has a way without it.
 * Keys and channels are texts of at most 512 characters.
 */
export abstract class SharedState {
  /** node: this process alone knows it. cluster: all nodes do. */
  abstract readonly scope: 'node' | 'cluster';

  /** Never rejects: what cannot be reached now is tried again and again. */
  abstract open(): Promise<void>;

  /** Null for what was never set, is over, or had to make room. */
  abstract get(key: string): Promise<Buffer | null>;

  /** `ttlMs` from 1 on. */
  abstract set(key: string, value: Buffer, ttlMs: number): Promise<void>;

  /** Sets the value if there is none. Null: it is set now; else what was there, which stays. Of several at once one wins. */
  abstract claim(key: string, value: Buffer, ttlMs: number): Promise<Buffer | null>;

  abstract remove(key: string): Promise<void>;

  /** Only while the value is this one; says whether it was. */
  abstract removeIf(key: string, value: Buffer): Promise<boolean>;

  /**
   * Takes up to `wanted` tokens, 1 or more, from a bucket that is full when nobody has taken any. All who take from it together
   * never get more than the burst, and `perSecond` each second, by one clock.
   */
  abstract take(bucket: string, limit: BucketLimit, wanted: number): Promise<Taken>;

  /**
   * The first of `count` numbers in a row that nobody else gets, above `above` and above all that were given before, for as
   * long as the counter is kept. A counter begins at 1 and has no end.
   */
  abstract reserve(counter: string, count: number, above: number): Promise<number>;

  /** To those who listen at this moment; nobody else ever hears of it. */
  abstract publish(channel: string, message: Buffer): Promise<void>;

  /** Resolves once everything that is published from now on is heard; to what ends it. After a lost connection it goes on by itself. */
  abstract subscribe(channel: string, listener: ChannelListener): Promise<() => void>;

  /** False while it is no use to ask; whoever wanted to goes by what its node knows itself, which is counted. */
  isWorthAsking(): boolean {
    return this.health().ok;
  }

  abstract health(): SharedStateHealth;

  /** Before open and twice is fine. */
  abstract close(): Promise<void>;
}
