// THE PORT: where a delivery goes.
import type { CallUrl } from '../message/call-url.js';
import type { Delivery } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';

/** Whether deliveries may be sent to a receiver (CloudEvents' HTTP webhooks, 4.1). */
export interface ConsentQuestion {
  readonly url: CallUrl;
  /** Who asks: a DNS name. */
  readonly origin: string;
  /** How many requests a minute are asked for. */
  readonly perMinute: number;
  /** Further headers, as of deliveries: names in lower case and values, flat. */
  readonly headers: readonly string[];
  /** Bound of the whole exchange, connect included. */
  readonly timeoutMs: number;
}

/** What came back, as it stands there; null for what did not. */
export interface ConsentReply {
  readonly outcome: Outcome;
  readonly allowedOrigin: string | null;
  readonly allowedRate: string | null;
}

export abstract class Target {
  /**
   * One attempt. Resolves within the delivery's timeout, whatever the receiver does, and never rejects for
   * it. When `signal` aborts, the attempt ends at once as `aborted`, unless the answer is already known.
   */
  abstract send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;

  /** Asks a receiver before its first delivery; the same promises. Without it there are no receivers that could be asked. */
  async ask({ url }: ConsentQuestion, _signal: AbortSignal): Promise<ConsentReply> {
    const detail = `${url.origin} is no receiver that can be asked`;
    const outcome = { kind: 'rejected', detail, retryAfterMs: null, status: 0, durationMs: 0, body: '' } as const;
    return { outcome, allowedOrigin: null, allowedRate: null };
  }

  /** Lets go of all connections. No attempt may be under way. */
  abstract close(): Promise<void>;
}
