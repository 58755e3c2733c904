// THE PORT over what several nodes have to know of one another for a while: values with a time to live, and channels.

export interface SharedStateHealth {
  readonly ok: boolean;
  readonly detail: string;
}

/** Called with each message of a channel, in the order in which one sender published them. Must not throw. */
export type ChannelListener = (message: Buffer) => void;

/**
 * Nothing here is durable: what must not be lost belongs into the broker. Every call but `open`, `health` and `close`
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

  /** To those who listen at this moment; nobody else ever hears of it. */
  abstract publish(channel: string, message: Buffer): Promise<void>;

  /** Resolves once everything that is published from now on is heard; to what ends it. After a lost connection it goes on by itself. */
  abstract subscribe(channel: string, listener: ChannelListener): Promise<() => void>;

  abstract health(): SharedStateHealth;

  /** Before open and twice is fine. */
  abstract close(): Promise<void>;
}
