// A transaction as a caller asks for it, whichever door it came through: its messages, whom to ask about it, and from when on.
import type { AclEntry } from '../../acl/acl-entry.js';
import type { Settings } from '../../config-watch/settings.js';
import { parseCallUrl } from '../../message/call-url.js';
import { egressRulesOf } from '../../message/egress-rules.js';
import { messageHeader } from '../../message/message.js';
import type { HalfMessage } from '../../transaction/half-messages.js';
import { idempotencyKeyForms, idempotencyKeyOf } from '../idempotency-key.js';
import { type Draft, draftOf, type FieldName, type Written } from '../messages/draft.js';
import { forbiddenOf, messageOf } from '../messages/message-maker.js';
import { type Fault, type Problem, problemOf } from '../messages/problem.js';
import { durationForms, durationOf, momentOf } from '../moments.js';

export const maxMessages = 100;
export const maxCheckUrls = 10;

const ofTheTransaction: readonly FieldName[] = ['acks', 'idempotency_key'];
const urlForms = `an absolute http or https URL without credentials, or a list of 1 to ${maxCheckUrls}`;

export type TransactionField = 'messages' | 'checkUrl' | 'firstCheckAfter' | 'idempotencyKey';

/** What a caller wrote; undefined or null: absent. */
export interface WrittenTransaction {
  readonly messages: readonly Written[];
  readonly checkUrl: unknown;
  readonly firstCheckAfter: unknown;
  readonly idempotencyKey: unknown;
  /** Where a field stands in the request. */
  readonly pointerOf: (field: TransactionField) => string;
}

export interface TransactionDraft {
  readonly drafts: readonly { readonly draft: Draft; readonly written: Written }[];
  readonly checkUrls: readonly string[];
  readonly firstCheckMs: number | null;
  readonly idempotencyKey: string | null;
  readonly pointerOf: WrittenTransaction['pointerOf'];
}

/** Tells whether there are as many messages as there may be. */
export function checkCount(count: number, pointer: string, faults: Fault[]): void {
  if (count >= 1 && count <= maxMessages) return;
  faults.push({ detail: `allowed: a list of 1 to ${maxMessages} messages`, pointer });
}

/** All faults are told, not only the first. `caller`'s own addresses hold where the caller names none. */
export function transactionDraftOf(
  written: WrittenTransaction,
  caller: AclEntry,
  { ttlMs }: Settings['transaction'],
  nowMs: number,
  faults: Fault[],
): TransactionDraft {
  const { pointerOf } = written;
  const drafts = written.messages.map((one) => draftIn(one, nowMs, faults));
  return {
    drafts,
    checkUrls: checkUrlsOf(written.checkUrl, caller, pointerOf('checkUrl'), faults),
    firstCheckMs: firstCheckOf(written.firstCheckAfter, ttlMs, pointerOf('firstCheckAfter'), faults),
    idempotencyKey: keyOf(written.idempotencyKey, pointerOf('idempotencyKey'), faults),
    pointerOf,
  };
}

function draftIn(read: Written, nowMs: number, faults: Fault[]) {
  for (const field of ofTheTransaction)
    if (read.fields[field] !== undefined)
      faults.push({ detail: 'it belongs to the transaction, not to one of its messages', ...read.placeOf(field) });
  const { acks: _acks, idempotency_key: _key, ...fields } = read.fields;
  const written = { ...read, fields };
  return { draft: draftOf(written, nowMs, faults), written };
}

function checkUrlsOf(asked: unknown, caller: AclEntry, pointer: string, faults: Fault[]): readonly string[] {
  if (asked === undefined || asked === null) {
    if (caller.checkUrls.length === 0)
      faults.push({ detail: 'needed: who can say what became of it; this caller has registered nobody', pointer });
    return caller.checkUrls;
  }
  const urls: unknown[] = Array.isArray(asked) ? asked : [asked];
  const isGood = (url: unknown): url is string =>
    typeof url === 'string' && /^https?:/i.test(url) && parseCallUrl(url) !== null;
  if (urls.length >= 1 && urls.length <= maxCheckUrls && urls.every(isGood)) return urls;
  faults.push({ detail: `allowed: ${urlForms}`, pointer });
  return [];
}

function firstCheckOf(asked: unknown, ttlMs: number, pointer: string, faults: Fault[]): number | null {
  if (asked === undefined || asked === null) return null;
  const ms = durationOf(asked);
  if (ms !== null && ms <= ttlMs) return ms;
  const detail = `allowed: ${durationForms}, and no longer than a transaction may be undecided (${ttlMs / 1000} s)`;
  faults.push({ detail, pointer });
  return null;
}

function keyOf(asked: unknown, pointer: string, faults: Fault[]): string | null {
  if (asked === undefined || asked === null) return null;
  const key = typeof asked === 'string' ? idempotencyKeyOf(asked) : null;
  if (key === null) faults.push({ detail: `allowed: ${idempotencyKeyForms}`, pointer });
  return key;
}

/** What the caller may not send, or whom it may not have asked; null when all of it is allowed. */
export function forbiddenIn(
  { drafts, checkUrls, pointerOf }: TransactionDraft,
  caller: AclEntry,
  settings: Settings,
): Problem | null {
  const faults = drafts.flatMap(
    ({ draft, written }) => forbiddenOf(draft, caller, settings, written.placeOf)?.errors ?? [],
  );
  const rules = egressRulesOf(settings.egress);
  const pointer = pointerOf('checkUrl');
  for (const url of checkUrls) {
    // Those that the operator registered need no allowance of the caller's.
    if (!caller.checkUrls.includes(url) && !caller.mayCall(url))
      faults.push({ detail: 'this caller may not call that URL', pointer });
    const against = rules.againstUrl(url);
    if (against !== null) faults.push({ detail: against, pointer });
  }
  return faults.length === 0 ? null : problemOf('forbidden', 'the caller may not send this', faults);
}

/** A delay, and an end that is told as a duration, count from the commit. */
export function halfMessagesOf({ drafts }: TransactionDraft, caller: AclEntry, nowMs: number): HalfMessage[] {
  return drafts.map(({ draft, written: { fields } }) => {
    const { topic, key, body, headers } = messageOf(draft, caller, nowMs);
    const { [messageHeader.notBefore]: notBefore, [messageHeader.expires]: expires, ...rest } = headers;
    const isDelay = fields.delay !== undefined && notBefore !== undefined;
    const isLasting = expires !== undefined && momentOf(fields.expires, nowMs) === null;
    const kept: Record<string, string> = { ...rest };
    if (notBefore !== undefined && !isDelay) kept[messageHeader.notBefore] = notBefore;
    if (expires !== undefined && !isLasting) kept[messageHeader.expires] = expires;
    return {
      topic,
      key,
      body,
      headers: kept,
      delayMs: isDelay ? Number(notBefore) - nowMs : 0,
      lastsMs: isLasting ? Number(expires) - nowMs : 0,
    };
  });
}
