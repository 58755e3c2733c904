// A message as a caller asks for it, from the fields it wrote, in headers or in JSON; or everything that is wrong with them.
import { type Acks, ackLevels, messageHeader } from '../../message/message.js';
import { isMessageId } from '../../message/message-id.js';
import { isMessageType, messageTypeAllowed } from '../../message/message-type.js';
import { callbackUrlForms, isCallbackUrl } from '../callback-url.js';
import { deliverLimitForms, deliverLimitOf } from '../deliver-limit.js';
import { isHeaderValue, maxForwarded, maxForwardedLength, whyNotForwarded } from '../forwarded.js';
import { idempotencyKeyForms, idempotencyKeyOf } from '../idempotency-key.js';
import { putTimes, timesOf } from '../moments.js';
import type { Fault } from './problem.js';

export const fieldNames = [
  'url',
  'topic',
  'type',
  'key',
  'id',
  'acks',
  'delay',
  'not_before',
  'expires',
  'content_type',
  'headers',
  'idempotency_key',
  'callback_url',
  'deliver_limit',
] as const;
export type FieldName = (typeof fieldNames)[number];

/** What a caller wrote; undefined: absent. */
export interface Written {
  readonly fields: Readonly<Partial<Record<FieldName, unknown>>>;
  readonly body: Buffer;
  /** Where a field stands in the request, or a member of it. */
  readonly placeOf: (field: FieldName, member?: string) => Pick<Fault, 'pointer' | 'header'>;
}

export interface Draft {
  /** null: the one that is the caller's own. */
  readonly topic: string | null;
  /** null: the receiver is the subscription's. */
  readonly url: string | null;
  readonly key: Buffer | null;
  readonly body: Buffer;
  readonly id: string | undefined;
  readonly acks: Acks | undefined;
  readonly idempotencyKey: string | null;
  /** Where the receiver's answer is to be delivered; null: nowhere. */
  readonly callbackUrl: string | null;
  /** The stored message's headers, save its id and its caller. */
  readonly headers: Record<string, string>;
}

const topicPattern = /^[A-Za-z0-9._-]{1,100}$/;
const longestKey = 8192;

/** All faults are told, not only the first. */
export function draftOf(written: Written, nowMs: number, faults: Fault[]): Draft {
  const { fields, body } = written;
  const reader = new FieldReader(written, faults);
  const url = reader.text('url', (text) => isCallbackUrl(text), callbackUrlForms);
  const topic = reader.text('topic', (text) => topicPattern.test(text), 'a topic: 1 to 100 of A-Z a-z 0-9 . _ -');
  if (fields.url === undefined && fields.topic === undefined) reader.fault('url', 'a url, a topic, or both are needed');
  const type = reader.text('type', isMessageType, messageTypeAllowed);
  const id = reader.text('id', isMessageId, '1 to 128 of A-Z a-z 0-9 _ : -');
  const headers: Record<string, string> = {};
  if (url !== null) headers[messageHeader.url] = url;
  if (type !== null) headers[messageHeader.type] = type;
  const contentType = reader.text('content_type', (text) => text !== '' && isHeaderValue(text), 'a header value');
  if (contentType !== null) headers[messageHeader.contentType] = contentType;
  const callbackUrl = reader.text('callback_url', isCallbackUrl, callbackUrlForms);
  if (callbackUrl !== null) headers[messageHeader.callbackUrl] = callbackUrl;
  const deliverLimit = reader.deliverLimit();
  if (deliverLimit !== null) headers[messageHeader.deliverLimit] = String(deliverLimit);
  const key = reader.key();
  const acks = reader.acks();
  putTimes(
    timesOf({ delay: fields.delay, not_before: fields.not_before, expires: fields.expires }, nowMs, (field, detail) =>
      reader.fault(field, detail),
    ),
    headers,
  );
  reader.forwarded(headers);
  const idempotencyKey = reader.idempotencyKey();
  return { topic, url, key, body, id: id ?? undefined, acks, idempotencyKey, callbackUrl, headers };
}

class FieldReader {
  constructor(
    private readonly written: Written,
    private readonly faults: Fault[],
  ) {}

  fault(field: FieldName, detail: string, member?: string): void {
    this.faults.push({ detail, ...this.written.placeOf(field, member) });
  }

  /** Null for an absent or wrong one. */
  text(field: FieldName, holds: (text: string) => boolean, allowed: string): string | null {
    const value = this.written.fields[field];
    if (value === undefined) return null;
    if (typeof value === 'string' && holds(value)) return value;
    this.fault(field, `allowed: ${allowed}`);
    return null;
  }

  key(): Buffer | null {
    const value = this.written.fields.key;
    if (value === undefined || value === '') return null;
    // A header's bytes are told as they came; text is UTF-8.
    const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.isBuffer(value) ? value : null;
    if (bytes !== null && bytes.length <= longestKey) return bytes;
    this.fault('key', `allowed: a text of at most ${longestKey} bytes`);
    return null;
  }

  deliverLimit(): number | null {
    const value = this.written.fields.deliver_limit;
    if (value === undefined) return null;
    const limit = deliverLimitOf(value);
    if (limit === null) this.fault('deliver_limit', `allowed: ${deliverLimitForms}`);
    return limit;
  }

  acks(): Acks | undefined {
    const value = this.written.fields.acks;
    if (value === undefined) return undefined;
    const level = ackLevels.find((known) => known === value);
    if (level === undefined) this.fault('acks', 'allowed: 0, 1 or -1');
    return level;
  }

  idempotencyKey(): string | null {
    const value = this.written.fields.idempotency_key;
    if (value === undefined) return null;
    const key = typeof value === 'string' ? idempotencyKeyOf(value) : null;
    if (key === null) this.fault('idempotency_key', `allowed: ${idempotencyKeyForms}`);
    return key;
  }

  forwarded(headers: Record<string, string>): void {
    const value = this.written.fields.headers;
    if (value === undefined) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fault('headers', 'allowed: an object of texts');
      return;
    }
    const entries = Object.entries(value);
    let length = 0;
    for (const [name, text] of entries) {
      const lower = name.toLowerCase();
      const why = whyNotForwarded(lower);
      if (why !== null) this.fault('headers', why, name);
      else if (!isHeaderValue(text)) this.fault('headers', 'allowed: visible ASCII, and spaces inside', name);
      else {
        length += name.length + text.length;
        headers[messageHeader.forward + lower] = text;
      }
    }
    if (entries.length > maxForwarded) this.fault('headers', `allowed: at most ${maxForwarded}`);
    if (length > maxForwardedLength) this.fault('headers', `allowed: at most ${maxForwardedLength} bytes in all`);
  }
}
