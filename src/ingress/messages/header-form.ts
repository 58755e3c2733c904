// A message whose fields are the request's headers and whose body is the request's own.
import type { IncomingHttpHeaders } from 'node:http';
import { messageHeader } from '../../message/message.js';
import { traceContextOf } from '../../message/trace-context.js';
import { cacheHeader } from '../result-cache.js';
import type { FieldName, Written } from './draft.js';
import type { Fault } from './problem.js';

/** Header → field. */
const fieldOf: Readonly<Record<string, FieldName>> = {
  'bigpipe-url': 'url',
  'bigpipe-topic': 'topic',
  'bigpipe-type': 'type',
  'bigpipe-key': 'key',
  'bigpipe-message-id': 'id',
  'bigpipe-acks': 'acks',
  'bigpipe-delay': 'delay',
  'bigpipe-not-before': 'not_before',
  'bigpipe-expires': 'expires',
  'bigpipe-callback-url': 'callback_url',
  'bigpipe-deliver-limit': 'deliver_limit',
  'idempotency-key': 'idempotency_key',
};
const headerOf = Object.fromEntries(Object.entries(fieldOf).map(([header, field]) => [field, header])) as Partial<
  Record<FieldName, string>
>;

/** `more`: forwarded beside those the caller named. Of a header that is there several times the values come joined. */
export function readHeaderForm(
  headers: IncomingHttpHeaders,
  contentType: string | undefined,
  body: Buffer,
  more: Readonly<Record<string, string>>,
  faults: Fault[],
): Written {
  const fields: Partial<Record<FieldName, unknown>> = {};
  const forwarded: Record<string, string> = { ...more, ...traceOf(headers) };
  for (const name in headers) {
    // What asks for another way to be answered is no part of the message.
    if ((name !== 'idempotency-key' && !name.startsWith('bigpipe-')) || name === cacheHeader) continue;
    const value = headers[name] as string;
    const field = fieldOf[name];
    if (name.startsWith(messageHeader.forward)) forwarded[name.slice(messageHeader.forward.length)] = value;
    else if (field === undefined) faults.push({ detail: 'there is no such header', header: name });
    else fields[field] = fieldValue(field, value);
  }
  if (contentType !== undefined && contentType !== '') fields.content_type = contentType;
  if (Object.keys(forwarded).length > 0) fields.headers = forwarded;
  return { fields, body, placeOf };
}

/** What decides what becomes of the call, its body left out: the same for a call that is sent again. */
export function askedInHeaders(headers: IncomingHttpHeaders): string[] {
  return Object.keys(headers)
    .filter((name) => name.startsWith('bigpipe-') || name.startsWith('ce-'))
    .sort()
    .flatMap((name) => [name, String(headers[name])]);
}

function placeOf(field: FieldName, member?: string): { header: string } {
  if (field === 'headers')
    return { header: member?.startsWith('ce-') ? member : messageHeader.forward + (member ?? '*') };
  return { header: field === 'content_type' ? 'content-type' : (headerOf[field] ?? field) };
}

function fieldValue(field: FieldName, value: string): unknown {
  // Node reads headers as Latin-1: these are the bytes that came.
  if (field === 'key') return value === '' ? '' : Buffer.from(value, 'latin1');
  // Nobody can tell which characters other bytes are meant to be.
  if (field === 'url' || field === 'callback_url') return /^[\x21-\x7e]*$/.test(value) ? value : null;
  if (field === 'acks') return /^(0|1|-1)$/.test(value) ? Number(value) : value;
  return value;
}

/** The trace that a call belongs to goes on at the receiver. */
export function traceOf({ traceparent, tracestate }: IncomingHttpHeaders): Record<string, string> {
  if (traceparent === undefined) return {};
  const trace = traceContextOf(traceparent, tracestate);
  if (trace === null) return {};
  return trace.tracestate === null ? { traceparent: trace.traceparent } : { ...trace, tracestate: trace.tracestate };
}
