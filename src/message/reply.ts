// What a receiver answered, on its way back to whoever called.
import type { MessageHeaders } from './message.js';

/** A whole answer: its status, the headers that are worth passing on, and its body. */
export interface ReceivedAnswer {
  readonly status: number;
  readonly headers: MessageHeaders;
  readonly body: Buffer;
}

/** How a delivery ended whose caller asked for the answer. */
export type Reply = {
  /** Of the message. */
  readonly id: string;
  /** The name under which it was sent; nobody else may read its reply. */
  readonly caller: string;
} & (
  | ({ readonly kind: 'answered' } & ReceivedAnswer)
  /** No answer can be shown: it was never delivered, or its answer was too long or broke off. `status` 0: none came. */
  | { readonly kind: 'failed'; readonly status: number; readonly detail: string }
);
