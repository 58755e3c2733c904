// What a message becomes that no attempt could deliver: itself, with its history beside it.
import type { Message, MessageHeaders, Position, StoredMessage } from './message.js';
import { positionOf, withoutSideNote } from './side-message.js';

/**
 * parked: nothing was tried, because an earlier one of its key stands among the dead letters. expired: the caller did not
 * want it sent any more. undecided: its transaction was, until its time was over.
 */
export const deadLetterReasons = ['exhausted', 'rejected', 'invalid', 'parked', 'expired', 'undecided'] as const;
export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** What is known about a message that could not be delivered. */
export interface DeadLetterNote {
  readonly reason: DeadLetterReason;
  /** Where the message was first stored. */
  readonly origin: Position;
  readonly detail: string;
  /** 0 when no answer came. */
  readonly status: number;
  /** The first KiB of the last answer. */
  readonly answer: string;
  readonly attempts: number;
  /** Unix milliseconds of the first attempt, 0 for none. */
  readonly firstAttemptMs: number;
}

const prefix = 'bigpipe-dlq-';

/** Key, headers and body stay as they were; the partition is the one of the origin. */
export function deadLetterOf(topic: string, source: StoredMessage, note: DeadLetterNote, nowMs: number): Message {
  const { origin } = note;
  const history = {
    reason: note.reason,
    detail: note.detail,
    status: String(note.status),
    answer: note.answer,
    attempts: String(note.attempts),
    'first-attempt': timeOf(note.firstAttemptMs),
    'last-attempt': note.attempts === 0 ? '' : timeOf(nowMs),
    topic: origin.topic,
    partition: String(origin.partition),
    offset: String(origin.offset),
    from: `${source.topic}/${source.partition}/${source.offset}`,
  };
  const headers = withoutSideNote(source.headers);
  for (const [name, value] of Object.entries(history)) headers[`${prefix}${name}`] = value;
  const { key, body, partition } = source;
  return { topic, partition, key, body, headers };
}

/** What was written beside a dead letter, without its prefix. */
export function historyOf(headers: MessageHeaders): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** The headers as the message had them. */
export function withoutHistory(headers: MessageHeaders): MessageHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(prefix)));
}

/** The place it was taken from when it was given up; null for what is no dead letter. */
export function copiedFrom(headers: MessageHeaders): Position | null {
  return positionOf(headers[`${prefix}from`]);
}

/** Where the message was first stored; its place among the dead letters if that is not told. */
export function originOfLetter(letter: StoredMessage): Position {
  const { topic, partition, offset } = historyOf(letter.headers);
  const isWhole = /^\d{1,18}$/;
  if (topic === undefined || topic === '' || !isWhole.test(partition ?? '') || !isWhole.test(offset ?? ''))
    return letter;
  return { topic, partition: Number(partition), offset: BigInt(offset as string) };
}

function timeOf(unixMs: number): string {
  return unixMs === 0 ? '' : new Date(unixMs).toISOString();
}
