// Deliveries as a target gets them.
import { parseCallUrl } from '#src/message/call-url.js';
import type { Delivery, DeliverySettings } from '#src/message/delivery.js';
import { messageHeader } from '#src/message/message.js';
import { defaultVerdicts } from '#src/message/verdict.js';

/** Of a delivery: this body. */
export const bodied = (body: Buffer) => ({ source: sourceOf(body) });

function sourceOf(body: Buffer): Delivery['source'] {
  const headers = { [messageHeader.contentType]: 'text/plain' };
  return { topic: 'test', partition: 0, offset: 0n, timestampMs: 0, key: null, body, headers };
}

/** A delivery to that URL, with its first body and header. */
export function deliveryTo(url: string, timeoutMs: number, changes: Partial<Delivery>): Delivery {
  const settings: Partial<DeliverySettings> = {
    maxAttempts: 3,
    timeoutMs,
    verdicts: defaultVerdicts,
    maxAnswerBytes: 65_536,
    signing: null,
    keepsAnswer: false,
  };
  return {
    id: 'msg_0',
    source: sourceOf(Buffer.from('hello')),
    url: parseCallUrl(url),
    forwarded: ['x-own', 'v'],
    attempt: 1,
    redelivery: null,
    settings,
    expiresMs: 0,
    replyTo: null,
    callbackUrl: null,
    attemptTrace: null,
    deliverLimit: Number.POSITIVE_INFINITY,
    shape: null,
    method: null,
    mailbox: null,
    ...changes,
  } as Delivery;
}
