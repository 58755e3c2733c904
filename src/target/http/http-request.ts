// The request that a receiver gets for a delivery.
import type { Delivery } from '../../message/delivery.js';
import { messageHeader } from '../../message/message.js';

const userAgent = 'bigpipe/0.1';
const defaultContentType = 'application/octet-stream';

/** Header names and values, flat, in the order they are sent. */
export function headersOf(delivery: Delivery): string[] {
  const headers = [
    'content-type',
    delivery.source.headers[messageHeader.contentType] ?? defaultContentType,
    'user-agent',
    userAgent,
    messageHeader.id,
    delivery.id,
    'idempotency-key',
    `"${delivery.id}"`,
    'bigpipe-attempt',
    String(delivery.attempt),
    'bigpipe-max-attempts',
    String(delivery.settings.maxAttempts),
  ];
  if (delivery.redelivery !== null) headers.push('bigpipe-redelivery', delivery.redelivery);
  const type = delivery.source.headers[messageHeader.type];
  if (type !== undefined) headers.push(messageHeader.type, type);
  if (delivery.expiresMs !== 0) headers.push('bigpipe-deadline', new Date(delivery.expiresMs).toISOString());
  for (const part of delivery.forwarded) headers.push(part);
  return headers;
}
