// CloudEvents 1.0 over HTTP, binary and structured: either way the receiver gets the binary form.
import type { IncomingHttpHeaders } from 'node:http';
import type { FieldName, Written } from './draft.js';
import { bodyOf, pointerOf } from './json-form.js';
import type { Fault } from './problem.js';

export const structuredType = 'application/cloudevents+json';
export const batchedType = 'application/cloudevents-batch+json';

const prefix = 'ce-';
const required = ['id', 'source', 'type'] as const;
const attributePattern = /^[a-z0-9]{1,100}$/;
/** What travels elsewhere. */
const notHeaders: ReadonlySet<string> = new Set(['data', 'data_base64', 'datacontenttype']);

/** The event's attributes as headers for the receiver; empty for what is no event in binary form. */
export function readBinaryEvent(headers: IncomingHttpHeaders, faults: Fault[]): Record<string, string> {
  const version = headers['ce-specversion'];
  const forwarded: Record<string, string> = {};
  if (version === undefined) return forwarded;
  if (version !== '1.0') faults.push({ detail: 'allowed: 1.0', header: 'ce-specversion' });
  for (const name of required) {
    if (!headers[prefix + name]) faults.push({ detail: 'a CloudEvent needs it', header: prefix + name });
  }
  for (const name in headers) {
    if (!name.startsWith(prefix)) continue;
    if (attributePattern.test(name.slice(prefix.length))) forwarded[name] = headers[name] as string;
    else faults.push({ detail: 'an attribute is of a-z and 0-9', header: name });
  }
  return forwarded;
}

export interface StructuredEvent {
  readonly forwarded: Record<string, string>;
  readonly contentType: string;
  readonly body: Buffer;
}

/** An event of the JSON format. Its data goes on as it is: a text where its content type is no JSON, else JSON. */
export function readStructuredEvent(event: Readonly<Record<string, unknown>>, faults: Fault[]): StructuredEvent {
  if (event['specversion'] !== '1.0') faults.push({ detail: 'allowed: "1.0"', pointer: pointerOf('specversion') });
  for (const name of required) {
    if (typeof event[name] !== 'string' || event[name] === '')
      faults.push({ detail: 'a CloudEvent needs it: a text that is not empty', pointer: pointerOf(name) });
  }
  const forwarded: Record<string, string> = {};
  for (const [name, value] of Object.entries(event)) {
    if (notHeaders.has(name) || value === null) continue;
    if (!attributePattern.test(name))
      faults.push({ detail: 'an attribute is of a-z and 0-9', pointer: pointerOf(name) });
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      forwarded[prefix + name] = encoded(String(value));
    else faults.push({ detail: 'allowed: a text, a number, true or false', pointer: pointerOf(name) });
  }
  const { datacontenttype: type = 'application/json', data, data_base64: base64 } = event;
  if (typeof type !== 'string') faults.push({ detail: 'allowed: a text', pointer: pointerOf('datacontenttype') });
  if (data !== undefined && base64 !== undefined)
    faults.push({ detail: 'allowed: data or data_base64, not both', pointer: pointerOf('data_base64') });
  const contentType = String(type);
  const isText = typeof data === 'string' && !/[/+]json\b/i.test(contentType);
  const json = data === undefined || isText ? data : asJson(data, faults);
  return { forwarded, contentType, body: bodyOf(json, base64, faults) };
}

/** Fields of bigpipe's that the event's extensions say, where no header does. */
export function withExtensions(written: Written, forwarded: Readonly<Record<string, string>>): Written {
  const fields: Partial<Record<FieldName, unknown>> = { ...written.fields };
  fields.type ??= forwarded['ce-type'];
  fields.key ??= forwarded['ce-partitionkey'];
  fields.expires ??= forwarded['ce-expirytime'];
  return { ...written, fields };
}

function asJson(data: unknown, faults: Fault[]): string | undefined {
  try {
    return JSON.stringify(data);
  } catch {
    faults.push({ detail: 'it is nested too deep', pointer: pointerOf('data') });
    return undefined;
  }
}

/** As the HTTP binding has it: what is not visible ASCII, and what would be read as an escape, as its UTF-8 bytes in %XX. */
const encoded = (text: string) =>
  text.toWellFormed().replace(/[^\x21-\x7e]|["%]/gu, (character) => {
    const bytes = Buffer.from(character);
    return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
  });
