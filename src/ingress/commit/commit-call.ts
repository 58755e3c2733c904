// Reads a POST /commit: topic, type, key and acks in the query, everything else in headers, the body as it is.
import type { IncomingHttpHeaders } from 'node:http';
import { type Acks, ackLevels, messageHeader } from '../../message/message.js';
import { isMessageId } from '../../message/message-id.js';
import { isMessageType } from '../../message/message-type.js';
import { callbackUrlForms, isCallbackUrl } from '../callback-url.js';
import { deliverLimitForms, deliverLimitOf } from '../deliver-limit.js';
import { isHeaderValue, maxForwarded, maxForwardedLength, whyNotForwarded } from '../forwarded.js';
import { putTimes, timesOf } from '../moments.js';

export interface CommitCall {
  readonly topic: string;
  /** Its bytes, as they stood in the URL; null for none. */
  readonly key: Buffer | null;
  /** undefined: as the operator set. */
  readonly acks: Acks | undefined;
  readonly id: string | undefined;
  /** The stored message's headers, save its id and its caller. */
  readonly headers: Record<string, string>;
}

/** Why it is none, in English. */
export interface CommitRefusal {
  readonly refused: string;
}

const longestKey = 8192;

/** `contentType`: of the request, undefined when it named none. */
export function readCommit(
  query: Readonly<Record<string, unknown>>,
  headers: IncomingHttpHeaders,
  contentType: string | undefined,
  nowMs: number,
): CommitCall | CommitRefusal {
  const { topic, type, key = '', acks } = query;
  if (typeof topic !== 'string' || topic === '') return { refused: 'topic is missing, or there more than once' };
  if (typeof key !== 'string') return { refused: 'key is there more than once' };
  if (type !== undefined && !isMessageType(type)) return { refused: 'type is no type, or there more than once' };
  const keyBytes = key === '' ? null : Buffer.from(key);
  if (keyBytes !== null && keyBytes.length > longestKey) return { refused: `key is longer than ${longestKey} bytes` };
  const level = acks === undefined ? undefined : ackLevels.find((known) => String(known) === acks);
  if (acks !== undefined && level === undefined) return { refused: 'acks is none of 0, 1, -1' };
  const id = headers[messageHeader.id];
  if (id !== undefined && !isMessageId(id)) return { refused: `${messageHeader.id} is no id` };
  const kept: Record<string, string> = type === undefined ? {} : { [messageHeader.type]: type };
  const refused = keep(headers, contentType, nowMs, kept);
  return refused === null ? { topic, key: keyBytes, acks: level, id, headers: kept } : { refused };
}

function keep(
  headers: IncomingHttpHeaders,
  contentType: string | undefined,
  nowMs: number,
  kept: Record<string, string>,
): string | null {
  if (contentType !== undefined && contentType !== '') {
    if (!isHeaderValue(contentType)) return 'content-type is not visible ASCII';
    kept[messageHeader.contentType] = contentType;
  }
  let refused = keepForwarded(headers, kept);
  const callbackUrl = headers[messageHeader.callbackUrl];
  if (isCallbackUrl(callbackUrl)) kept[messageHeader.callbackUrl] = callbackUrl;
  else if (callbackUrl !== undefined) refused ??= `${messageHeader.callbackUrl}: allowed: ${callbackUrlForms}`;
  const limit = headers[messageHeader.deliverLimit];
  if (deliverLimitOf(limit) !== null) kept[messageHeader.deliverLimit] = String(limit);
  else if (limit !== undefined) refused ??= `${messageHeader.deliverLimit}: allowed: ${deliverLimitForms}`;
  const { 'bigpipe-delay': delay, 'bigpipe-not-before': notBefore, 'bigpipe-expires': expires } = headers;
  if (delay === undefined && notBefore === undefined && expires === undefined) return refused;
  const times = timesOf({ delay, not_before: notBefore, expires }, nowMs, (field, detail) => {
    refused ??= `bigpipe-${field.replace('_', '-')}: ${detail}`;
  });
  putTimes(times, kept);
  return refused;
}

function keepForwarded(headers: IncomingHttpHeaders, kept: Record<string, string>): string | null {
  let count = 0;
  let length = 0;
  for (const name in headers) {
    if (!name.startsWith(messageHeader.forward)) continue;
    const inner = name.slice(messageHeader.forward.length);
    const value = headers[name];
    const why = whyNotForwarded(inner);
    if (why !== null) return `${name}: ${why}`;
    if (!isHeaderValue(value)) return `${name} is not visible ASCII`;
    count += 1;
    length += inner.length + value.length;
    kept[name] = value;
  }
  if (count > maxForwarded) return `more than ${maxForwarded} ${messageHeader.forward}*`;
  return length > maxForwardedLength ? `${messageHeader.forward}* are more than ${maxForwardedLength} bytes` : null;
}
