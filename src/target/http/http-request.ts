// The request that a receiver gets for a delivery.
import { type Delivery, maxAttemptsOf } from '../../message/delivery.js';
import { isHeldBack } from '../../message/held-back.js';
import { type MessageHeaders, messageHeader } from '../../message/message.js';
import { plainTraceparent, plainTracestate } from '../../message/trace-context.js';
import type { ConsentQuestion } from '../target.js';
import { signatureHeaders, signatureOf } from './signature.js';

const userAgent = 'bigpipe/0.1';
const defaultContentType = 'application/octet-stream';

/** CloudEvents' HTTP webhooks, 4.1.2: who asks, and later who sends. */
const requestOrigin = 'webhook-request-origin';

/** Of the question whether deliveries may be sent. */
export function consentHeadersOf({ origin, perMinute, headers }: ConsentQuestion): string[] {
  const agent = says(headers, 'user-agent') ? [] : ['user-agent', userAgent];
  return [...headers, ...agent, requestOrigin, origin, 'webhook-request-rate', String(perMinute)];
}

/**
 * Header names and values, flat, in the order they are sent; `nowMs` (unix) is the attempt's time. `requestedBy`: to whose deliveries
 * the receiver has agreed; null where it was not asked.
 */
export function headersOf(delivery: Delivery, nowMs: number, requestedBy: string | null = null): string[] {
  const own = delivery.shape?.headers ?? [];
  const headers = [...own];
  // What the subscription says itself wins.
  if (!says(own, 'content-type'))
    headers.push('content-type', delivery.source.headers[messageHeader.contentType] ?? defaultContentType);
  if (!says(own, 'user-agent')) headers.push('user-agent', userAgent);
  headers.push(
    messageHeader.id,
    delivery.id,
    'idempotency-key',
    `"${delivery.id}"`,
    'bigpipe-attempt',
    String(delivery.attempt),
    'bigpipe-max-attempts',
    String(maxAttemptsOf(delivery)),
  );
  if (delivery.redelivery !== null) headers.push('bigpipe-redelivery', delivery.redelivery);
  const type = delivery.source.headers[messageHeader.type];
  if (type !== undefined) headers.push(messageHeader.type, type);
  addCallback(headers, delivery.source.headers);
  if (delivery.expiresMs !== 0) headers.push('bigpipe-deadline', new Date(delivery.expiresMs).toISOString());
  if (requestedBy !== null) headers.push(requestOrigin, requestedBy);
  const { signing } = delivery.settings;
  const { attemptTrace, forwarded } = delivery;
  const isLeftOut = (name: string) =>
    isHeldBack(name) ||
    says(own, name) ||
    (requestedBy !== null && name === requestOrigin) ||
    (signing !== null && signatureHeaders.has(name)) ||
    (attemptTrace !== null && (name === plainTraceparent || name === plainTracestate));
  addForwarded(headers, forwarded, isLeftOut);
  if (attemptTrace !== null) {
    headers.push(plainTraceparent, attemptTrace.traceparent);
    if (attemptTrace.tracestate !== null) headers.push(plainTracestate, attemptTrace.tracestate);
  }
  if (signing !== null) headers.push(...signatureOf(signing, delivery.id, nowMs, delivery.source.body));
  return headers;
}

/** Whether the name is one of these names and values. */
function says(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true;
  return false;
}

/** Whose answer it is, where it is a callback. */
function addCallback(headers: string[], stored: MessageHeaders): void {
  const of = stored[messageHeader.callbackOf];
  if (of === undefined) return;
  const { replyKind, replyStatus, callbackOf } = messageHeader;
  headers.push(callbackOf, of, replyKind, stored[replyKind] ?? '', replyStatus, stored[replyStatus] ?? '');
}

/** A log may hold what no door of ours would take: another writer put it there. */
function addForwarded(headers: string[], forwarded: readonly string[], isLeftOut: (name: string) => boolean): void {
  for (let i = 0; i + 1 < forwarded.length; i += 2) {
    const [name, value] = [forwarded[i] as string, forwarded[i + 1] as string];
    if (isLeftOut(name)) continue;
    headers.push(name, value);
  }
}
