// A message as one JSON object: its fields, its data, its headers.
import { isUtf8 } from 'node:buffer';
import { isTooDeep } from '../json-depth.js';
import { type FieldName, fieldNames, type Written } from './draft.js';
import type { Fault } from './problem.js';

export const jsonType = 'application/vnd.bigpipe+json';

type Json = Record<string, unknown>;

const known: ReadonlySet<string> = new Set([...fieldNames, 'data', 'data_base64']);
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** Null for what is no JSON object in UTF-8, or nested too deep. */
export function jsonObjectOf(bytes: Buffer): Json | null {
  if (!isUtf8(bytes) || isTooDeep(bytes)) return null;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

/** Null is as good as absent. A field that nobody knows is a fault: one that was misspelled would not be obeyed. */
export function readJsonForm(json: Json, faults: Fault[]): Written {
  for (const name of Object.keys(json)) {
    if (!known.has(name)) faults.push({ detail: 'there is no such field', pointer: pointerOf(name) });
  }
  const fields: Partial<Record<FieldName, unknown>> = {};
  for (const name of fieldNames) if (json[name] !== null && json[name] !== undefined) fields[name] = json[name];
  const { data, data_base64: encoded } = json;
  if (data !== undefined && data !== null && encoded !== undefined && encoded !== null) {
    faults.push({ detail: 'allowed: data or data_base64, not both', pointer: pointerOf('data_base64') });
  }
  if (typeof data === 'object' && data !== null) fields.content_type ??= 'application/json';
  return { fields, body: bodyOf(data, encoded, faults), placeOf };
}

/** The bytes of `data`, a text as it is and everything else as JSON; of `encoded` what it stands for. */
export function bodyOf(data: unknown, encoded: unknown, faults: Fault[]): Buffer {
  if (encoded !== undefined && encoded !== null) {
    if (typeof encoded === 'string' && base64.test(encoded)) return Buffer.from(encoded, 'base64');
    faults.push({ detail: 'allowed: base64', pointer: pointerOf('data_base64') });
    return Buffer.alloc(0);
  }
  if (data === undefined || data === null) return Buffer.alloc(0);
  if (typeof data === 'string') return Buffer.from(data);
  try {
    return Buffer.from(JSON.stringify(data));
  } catch {
    faults.push({ detail: 'it is nested too deep', pointer: pointerOf('data') });
    return Buffer.alloc(0);
  }
}

/** RFC 6901, as the fragment of a URI. */
export function pointerOf(...names: readonly string[]): string {
  const parts = names.map((name) =>
    encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1').toWellFormed()),
  );
  return `#/${parts.join('/')}`;
}

function placeOf(field: FieldName, member?: string): { pointer: string } {
  return { pointer: member === undefined ? pointerOf(field) : pointerOf(field, member) };
}
