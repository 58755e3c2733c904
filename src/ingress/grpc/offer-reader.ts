// From a message as gRPC carries it to an offer to the producer, through the same checks as on /v1.
import type { Metadata } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { Offer } from '../../producer/producer.js';
import { onceKeyOf } from '../idempotency-key.js';
import { draftOf, type FieldName, type Written } from '../messages/draft.js';
import { traceOf } from '../messages/header-form.js';
import { forbiddenOf, messageOf } from '../messages/message-maker.js';
import { type Fault, type Problem, problemOf } from '../messages/problem.js';
import { type DurationForm, type HeaderForm, type MessageForm, serialize, type TimestampForm } from './protos.js';

const nothing = Buffer.alloc(0);
const acksOf: Readonly<Record<string, number>> = { ACKS_NONE: 0, ACKS_LEADER: 1, ACKS_ALL: -1 };

@Injectable()
export class OfferReader {
  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  read(form: MessageForm | undefined, caller: AclEntry, metadata: Metadata): Offer | Problem {
    if (form === undefined) {
      return problemOf('invalid-request', 'there is no message', [{ detail: 'it is needed', pointer: 'message' }]);
    }
    const { settings } = this.configWatch;
    const faults: Fault[] = [];
    const written = writtenOf(form, metadata, faults);
    if (written.body.length > settings.server.maxBodyBytes) {
      faults.push({ detail: `allowed: at most ${settings.server.maxBodyBytes} bytes`, pointer: 'message.body' });
    }
    const nowMs = this.clock.now();
    const draft = draftOf(written, nowMs, faults);
    if (faults.length > 0) {
      const count = `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}`;
      return problemOf('invalid-request', count, faults);
    }
    const forbidden = forbiddenOf(draft, caller, settings, placeOf);
    if (forbidden !== null) return forbidden;
    const { idempotencyKey, acks } = draft;
    const once = idempotencyKey === null ? null : onceKeyOf(caller.name, idempotencyKey, ['grpc', askedIn(form)]);
    return { message: messageOf(draft, caller, nowMs), acks, once };
  }
}

/** Of the same message always the same: the trace stands in the metadata. */
const askedIn = (form: MessageForm) => serialize('bigpipe.v1.Message', form);

/** Texts and bytes that are empty are as good as absent. */
function writtenOf(form: MessageForm, metadata: Metadata, faults: Fault[]): Written {
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
  const headers = { ...traceIn(metadata), ...headersOf(form.headers, faults) };
  if (Object.keys(headers).length > 0) fields.headers = headers;
  return { fields, body: form.body === undefined ? nothing : Buffer.from(form.body), placeOf };
}

function placeOf(field: FieldName, member?: string): { pointer: string } {
  return { pointer: `message.${member === undefined ? field : `${field}[${JSON.stringify(member)}]`}` };
}

function headersOf(list: readonly HeaderForm[], faults: Fault[]): Record<string, string> {
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
function secondsOf({ seconds = '0', nanos = 0 }: DurationForm): string {
  // A negative one is none that is allowed, and is told so.
  return nanos < 0 ? '-1' : `${seconds}.${String(Math.floor(nanos / 1e6)).padStart(3, '0')}`;
}

/** A date, since a small number would be read as seconds from now. */
function momentOf({ seconds = '0', nanos = 0 }: TimestampForm): string {
  const date = new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? seconds : date.toISOString();
}
