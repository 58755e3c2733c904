// Ids for messages whose caller gave none: a ULID behind 'msg_', sorted by time, unique without a counter.
import { getRandomValues } from 'node:crypto';

/** Crockford's base 32: no I, L, O, U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const letters = Array.from(alphabet);
/** 48 bits of milliseconds, 80 bits of chance. */
const timeLetters = 10;
const randomBytes = 10;
/** Random bytes are fetched for 512 ids at once: a system call for each would cost more than the rest of the id. */
const pool = new Uint8Array(512 * randomBytes);
let used = pool.length;

let encodedMs = -1;
/** The time's letters with the prefix: many ids are made in one millisecond. */
let encodedTime = '';

export function newMessageId(nowMs: number): string {
  if (nowMs !== encodedMs) {
    encodedMs = nowMs;
    encodedTime = `msg_${timeText(nowMs)}`;
  }
  if (used === pool.length) {
    getRandomValues(pool);
    used = 0;
  }
  const from = used;
  used += randomBytes;
  return encodedTime + fiveBytes(from) + fiveBytes(from + 5);
}

/** An id travels in headers, log lines and signatures; a dot is the signature's separator. */
const pattern = /^[A-Za-z0-9_:-]{1,128}$/;

/** True for what a caller may choose as an id. */
export function isMessageId(value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value);
}

/** Unix milliseconds at which bigpipe made the id (a ULID, or UUID version 7 as until 0.1); null for any other. */
export function timeOfMessageId(id: string): number | null {
  const ulid = /^msg_([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}$/.exec(id)?.[1];
  if (ulid !== undefined) {
    let ms = 0;
    for (const letter of ulid) ms = ms * 32 + alphabet.indexOf(letter);
    return ms;
  }
  const uuid = /^msg_([0-9a-f]{8})-([0-9a-f]{4})-7/.exec(id);
  return uuid === null ? null : Number.parseInt(`${uuid[1]}${uuid[2]}`, 16);
}

const transactionPrefix = 'txn_';

/** Of a transaction: the same with another prefix. */
export const newTransactionId = (nowMs: number): string => transactionPrefix + newMessageId(nowMs).slice('msg_'.length);

/** Unix milliseconds; null for what is no id of a transaction. */
export function timeOfTransactionId(id: string): number | null {
  return id.startsWith(transactionPrefix) ? timeOfMessageId(`msg_${id.slice(transactionPrefix.length)}`) : null;
}

function timeText(ms: number): string {
  let text = '';
  for (let i = 0, rest = ms; i < timeLetters; i += 1, rest = Math.floor(rest / 32)) {
    text = (letters[rest % 32] as string) + text;
  }
  return text;
}

/** 40 bits of the pool as 8 letters. */
function fiveBytes(from: number): string {
  const a = pool[from] as number;
  const b = pool[from + 1] as number;
  const c = pool[from + 2] as number;
  const d = pool[from + 3] as number;
  const e = pool[from + 4] as number;
  return (
    (letters[a >> 3] as string) +
    letters[((a & 7) << 2) | (b >> 6)] +
    letters[(b >> 1) & 31] +
    letters[((b & 1) << 4) | (c >> 4)] +
    letters[((c & 15) << 1) | (d >> 7)] +
    letters[(d >> 2) & 31] +
    letters[((d & 3) << 3) | (e >> 5)] +
    letters[e & 31]
  );
}
