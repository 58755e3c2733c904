// How one attempt ended. No exception: a receiver that refuses is an ordinary thing.
import type { ReceivedAnswer } from './reply.js';

/**
 * `connection` covers refused, reset, unresolved, unreadable answers: no status arrived. `lease` and `nack` are of whoever
 * fetches messages: he did not say in time that he is done, or said that he is not.
 */
export const retryReasons = ['timeout', 'connection', 'status', 'lease', 'nack'] as const;
export type RetryReason = (typeof retryReasons)[number];

interface Answer {
  readonly status: number;
  readonly durationMs: number;
  /** The first bytes of the answer's body (at most 1 KiB), empty for a 2xx. */
  readonly body: string;
  /** All of the answer, where a caller waits for it; null for one that was too long or broke off. */
  readonly whole?: ReceivedAnswer | null;
}

interface Refusal extends Answer {
  /** How long the receiver asked to be left alone (Retry-After on 429 and 503), null when it did not. */
  readonly retryAfterMs: number | null;
}

export type Outcome =
  | ({ readonly kind: 'delivered' } & Answer)
  /** Worth another try. `status` is 0 when none arrived. */
  | ({
      readonly kind: 'retry';
      readonly reason: RetryReason;
      readonly detail: string;
      /** Until the next attempt, where the receiver said so of this one message; the subscription's backoff when absent. */
      readonly waitMs?: number;
    } & Refusal)
  /** The receiver said no; another try would get the same answer. */
  | ({ readonly kind: 'rejected'; readonly detail: string } & Refusal)
  /** We ourselves stopped the attempt (drain, revoke): nothing is known about the receiver. */
  | { readonly kind: 'aborted' };
