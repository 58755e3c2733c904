// THE PORT: where a delivery goes.
import type { Delivery } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';

export abstract class Target {
  /**
   * One attempt. Resolves within the delivery's timeout, whatever the receiver does, and never rejects for
   * it. When `signal` aborts, the attempt ends at once as `aborted`, unless the answer is already known.
   */
  abstract send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;

  /** Lets go of all connections. No attempt may be under way. */
  abstract close(): Promise<void>;
}
