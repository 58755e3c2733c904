// The Idempotency-Key of a call, and what makes two calls the same.
import { hash } from 'node:crypto';
import type { OnceKey } from '../producer/idempotency.js';

/** Of an answer: how far the key is known, and that it is not the first one of its call. */
export const idempotencyScopeHeader = 'bigpipe-idempotency-scope';
export const replayedHeader = 'idempotency-replayed';

const hashBytes = 16;
/** A structured field's string (RFC 8941), or the same without its quotes. */
const quoted = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const bare = /^[\x21\x23-\x7e]([\x20-\x21\x23-\x7e]*[\x21\x23-\x7e])?$/;

export const idempotencyKeyForms = '1 to 255 visible ASCII characters and spaces inside, with or without quotes around';

/** Null for what is no key. */
export function idempotencyKeyOf(text: string): string | null {
  const inside = quoted.exec(text)?.[1]?.replace(/\\(["\\])/g, '$1');
  const key = inside ?? (bare.test(text) ? text : null);
  return key !== null && key.length >= 1 && key.length <= 255 ? key : null;
}

/** `asked`: everything in the call that decides what becomes of it, in an order that is always the same. */
export function onceKeyOf(aclName: string, key: string, asked: readonly (string | Buffer)[]): OnceKey {
  return { key: digestOf([aclName, key]), fingerprint: digestOf(asked) };
}

/** Each part with its length, so that no two lists are alike. */
export function digestOf(parts: readonly (string | Buffer)[]): Buffer {
  const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  const framed = bytes.flatMap((part) => [Buffer.from(`${part.length}:`), part]);
  return hash('sha256', Buffer.concat(framed), 'buffer').subarray(0, hashBytes);
}
