// THE PORT over what was accepted under an idempotency key: the same call again is answered as before, and not stored twice.
import type { Durability } from '../broker/broker.js';
import type { Message } from '../message/message.js';

/** Both are hashes of 16 bytes. */
export interface OnceKey {
  /** Of the caller's name and its key. */
  readonly key: Buffer;
  /** Of all that the caller asked for: the same key with another one is another call. */
  readonly fingerprint: Buffer;
}

/** What the first call was answered. */
export interface StoredAnswer {
  readonly id: string;
  readonly durability: Durability;
}

export type Claim =
  /** Nobody has it: exactly one of `stored` and `failed` is called, once. */
  | {
      readonly kind: 'new';
      /** To be appended together with the message, or behind it; never before. */
      record(answer: StoredAnswer): Message;
      /** The message is as durable as was asked; so is the record at `offset`, null where that is not known. Says how far the key is known now; never rejects. */
      stored(offset: bigint | null): IdempotencyScope | Promise<IdempotencyScope>;
      /** The message is not stored: the next call with the key is a new one. */
      failed(): void;
    }
  | { readonly kind: 'known'; readonly answer: StoredAnswer; readonly scope: IdempotencyScope }
  /** Another call with the key is being stored. */
  | { readonly kind: 'in progress' }
  /** The key belongs to a call that asked for something else. */
  | { readonly kind: 'other payload' };

/** How far a key is known: to this process and those that read the same log later, or to all of them at the same moment. */
export type IdempotencyScope = 'node' | 'shared';

/** Bounded: keys are forgotten after a while, and the oldest when there are too many. */
export abstract class Idempotency {
  /** Of a key that is claimed now. */
  abstract readonly scope: IdempotencyScope;

  /** Never waits for another call. Rejects with a BigpipeError when the keys cannot be read. */
  abstract claim(once: OnceKey): Promise<Claim>;

  /** Before any claim and twice is fine. */
  abstract close(): Promise<void>;
}
