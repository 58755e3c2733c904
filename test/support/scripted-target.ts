// A target whose attempts the test ends, one by one.
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import { type ConsentQuestion, type ConsentReply, Target } from '#src/target/target.js';

export const delivered: Outcome = { kind: 'delivered', status: 200, durationMs: 1, body: '' };
export const failed: Outcome = {
  kind: 'retry',
  reason: 'status',
  detail: 'the receiver answered 500',
  retryAfterMs: null,
  status: 500,
  durationMs: 1,
  body: 'sorry',
};
export const rejected: Outcome = {
  kind: 'rejected',
  detail: 'the receiver answered 400',
  retryAfterMs: null,
  status: 400,
  durationMs: 1,
  body: 'no',
};

/** What a receiver says that agrees to `rate` requests a minute. */
export const consenting = (rate = '*', origin = '*'): ConsentReply => ({
  outcome: delivered,
  allowedOrigin: origin,
  allowedRate: rate,
});
/** One that knows no such question. */
export const unconsenting: ConsentReply = { outcome: delivered, allowedOrigin: null, allowedRate: null };

interface Asked {
  readonly question: ConsentQuestion;
  readonly answer: (reply: ConsentReply) => void;
}

interface Attempt {
  readonly body: string;
  readonly attempt: number;
  readonly end: (outcome: Outcome) => void;
}

export class ScriptedTarget extends Target {
  /** Attempts that were begun and not ended. */
  inFlight: Attempt[] = [];
  /** 'body/attempt' of all attempts, in the order they began. */
  readonly begun: string[] = [];
  /** Ends each attempt at once, unless unset. */
  answer: ((delivery: Delivery) => Outcome) | null = null;

  /** Every question for consent, and how to answer it. */
  readonly asked: Asked[] = [];

  override ask(question: ConsentQuestion, signal: AbortSignal): Promise<ConsentReply> {
    return new Promise((resolve) => {
      this.asked.push({ question, answer: resolve });
      signal.addEventListener('abort', () => resolve({ ...unconsenting, outcome: { kind: 'aborted' } }));
    });
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const body = delivery.source.body.toString();
    this.begun.push(`${body}/${delivery.attempt}`);
    if (this.answer !== null) return Promise.resolve(this.answer(delivery));
    return new Promise((resolve) => {
      const attempt: Attempt = {
        body,
        attempt: delivery.attempt,
        end: (outcome) => {
          this.inFlight = this.inFlight.filter((other) => other !== attempt);
          resolve(outcome);
        },
      };
      this.inFlight.push(attempt);
      signal.addEventListener('abort', () => attempt.end({ kind: 'aborted' }));
    });
  }

  /** Ends the attempt of this body that is in flight. */
  end(body: string, outcome: Outcome): void {
    const attempt = this.inFlight.find((other) => other.body === body);
    if (attempt === undefined) throw new Error(`no attempt of ${body} is in flight`);
    attempt.end(outcome);
  }

  override async close(): Promise<void> {}
}
