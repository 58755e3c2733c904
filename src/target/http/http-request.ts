// The request that a receiver gets for a delivery.
import { type Delivery, maxAttemptsOf } from '../../message/delivery.js';
import { isHeldBack } from '../../message/held-back.js';
import { type MessageHeaders, messageHeader } from '../../message/message.js';
import { plainTraceparent, plainTracestate } from '../../message/trace-context.js';
import { signatureHeaders, signatureOf } from './signature.js';

const userAgent = 'bigpipe/0.1';
const defaultContentType = 'application/octet-stream';

/** Header names and values, flat, in the order they are sent; `nowMs` (unix) is the attempt's time. */
export function headersOf(delivery: Delivery, nowMs: number): string[] {
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
    String(maxAttemptsOf(delivery)),
  ];
  if (delivery.redelivery !== null) headers.push('bigpipe-redelivery', delivery.redelivery);
  const type = delivery.source.headers[messageHeader.type];
  if (type !== undefined) headers.push(messageHeader.type, type);
  addCallback(headers, delivery.source.headers);
  if (delivery.expiresMs !== 0) headers.push('bigpipe-deadline', new Date(delivery.expiresMs).toISOString());
  const { signing } = delivery.settings;
  const { attemptTrace, forwarded } = delivery;
  addForwarded(headers, forwarded, signing !== null, attemptTrace !== null);
  if (attemptTrace !== null) {
    headers.push(plainTraceparent, attemptTrace.traceparent);
    if (attemptTrace.tracestate !== null) headers.push(plainTracestate, attemptTrace.tracestate);
  }
  if (signing !== null) headers.push(...signatureOf(signing, delivery.id, nowMs, delivery.source.body));
  return headers;
}

/** Whose answer it is, where it is a callback. */
function addCallback(headers: string[], stored: MessageHeaders): void {
  const of = stored[messageHeader.callbackOf];
  if (of === undefined) return;
  const { replyKind, replyStatus, callbackOf } = messageHeader;
  headers.push(callbackOf, of, replyKind, stored[replyKind] ?? '', replyStatus, stored[replyStatus] ?? '');
}

/** A log may hold what no door of ours would take: another writer put it there. */
function addForwarded(headers: string[], forwarded: readonly string[], isSigned: boolean, isTraced: boolean): void {
  for (let i = 0; i + 1 < forwarded.length; i += 2) {
    const [name, value] = [forwarded[i] as string, forwarded[i + 1] as string];
    if (isHeldBack(name) || (isSigned && signatureHeaders.has(name))) continue;
    if (isTraced && (name === plainTraceparent || name === plainTracestate)) continue;
    headers.push(name, value);
  }
}
