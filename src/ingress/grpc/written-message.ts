// A message as gRPC carries it, as the fields that all doors read.
import type { Metadata } from '@grpc/grpc-js';
import type { FieldName, Written } from '../messages/draft.js';
import { traceOf } from '../messages/header-form.js';
import type { Fault } from '../messages/problem.js';
import type { DurationForm, HeaderForm, MessageForm, TimestampForm } from './protos.js';

const nothing = Buffer.alloc(0);
const acksOf: Readonly<Record<string, number>> = { ACKS_NONE: 0, ACKS_LEADER: 1, ACKS_ALL: -1 };

/** Texts and bytes that are empty are as good as absent. `at`: the field that it stands in. */
export function writtenOf(
  form: MessageForm,
  at: string,
  metadata: Metadata,
  maxBytes: number,
  faults: Fault[],
): Written {
  const placeOf: Written['placeOf'] = (field, member) => ({
    pointer: `${at}.${member === undefined ? field : `${field}[${JSON.stringify(member)}]`}`,
  });
  const length = form.body?.length ?? 0;
  if (length > maxBytes) faults.push({ detail: `allowed: at most ${maxBytes} bytes`, pointer: `${at}.body` });
  const fields: Partial<Record<FieldName, unknown>> = {};
  for (const name of ['url', 'topic', 'type', 'id', 'content_type', 'idempotency_key', 'callback_url'] as const) {
    if (form[name] !== undefined && form[name] !== '') fields[name] = form[name];
  }
  // A copy: it is a view of the bytes that the whole message came in.
  if (form.key !== undefined && form.key.length > 0) fields.key = Buffer.from(form.key);
  if (form.acks !== undefined && form.acks !== 'ACKS_DEFAULT') fields.acks = acksOf[form.acks] ?? form.acks;
  if (form.deliver_limit !== undefined && form.deliver_limit !== 0) fields.deliver_limit = form.deliver_limit;
  if (form.delay !== undefined) fields.delay = secondsOf(form.delay);
  if (form.not_before !== undefined) fields.not_before = momentOf(form.not_before);
  if (form.expires_at !== undefined) fields.expires = momentOf(form.expires_at);
  if (form.expires_in !== undefined) fields.expires = secondsOf(form.expires_in);
  const headers = { ...traceIn(metadata), ...headersOf(form.headers, placeOf, faults) };
  if (Object.keys(headers).length > 0) fields.headers = headers;
  return { fields, body: form.body === undefined ? nothing : Buffer.from(form.body), placeOf };
}

function headersOf(list: readonly HeaderForm[], placeOf: Written['placeOf'], faults: Fault[]): Record<string, string> {
  const headers = new Map<string, string>();
  for (const { name = '', value = '' } of list) {
    if (headers.has(name)) faults.push({ detail: 'it is there twice', ...placeOf('headers', name) });
    headers.set(name, value);
  }
  return Object.fromEntries(headers);
}

function traceIn(metadata: Metadata): Record<string, string> {
  const [traceparent, tracestate] = ['traceparent', 'tracestate'].map((name) => metadata.get(name)[0]?.toString());
  return traceOf({ traceparent, tracestate });
}

/** As a text, for the reader that all doors share. */
export function secondsOf({ seconds = '0', nanos = 0 }: DurationForm): string {
  // A negative one is none that is allowed, and is told so.
  return nanos < 0 ? '-1' : `${seconds}.${String(Math.floor(nanos / 1e6)).padStart(3, '0')}`;
}

/** A date, since a small number would be read as seconds from now. */
function momentOf({ seconds = '0', nanos = 0 }: TimestampForm): string {
  const date = new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString();
}
