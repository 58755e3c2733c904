// A message on its way through a subscription's own topics: what it was, and where it comes from.
import { type MessageHeaders, messageHeader, type Position, type StoredMessage } from './message.js';

/** What travels with a message that was moved. */
export interface SideNote {
  /** The place it was moved from; once that place counts as settled this copy is the message. */
  readonly from: Position;
  /** Where it was first stored. */
  readonly origin: Position;
  /** Names the ownership of the partition under which it was moved. */
  readonly owner: string;
  /** How often it has been moved within the overflow. */
  readonly hop: number;
  /** Attempts that were made. */
  readonly attempts: number;
  /** Why the next attempt may be a repeat; empty when it is none. */
  readonly redelivery: string;
  /** Unix milliseconds of the first attempt, 0 before it. */
  readonly firstAttemptMs: number;
  /** Unix milliseconds before which it is not sent, 0 for at once. */
  readonly notBeforeMs: number;
}

const name = 'bigpipe-side';
const version = '1';
/** Version, from, origin, owner, redelivery, hop, attempts, first attempt, not before. */
const pattern = /^1 (\S+) (\S+) (\S+) (\S+) (\d{1,9}) (\d{1,6}) (\d{1,15}) (\d{1,15})$/;

/** The headers of `source` with the note, and with an id of its own, which it has had by its place until now. */
export function withSideNote(source: StoredMessage, note: SideNote, id: string): MessageHeaders {
  const { from, origin, owner, hop, attempts, redelivery, firstAttemptMs, notBeforeMs } = note;
  const places = [placeOf(from), placeOf(origin)];
  const parts = [version, ...places, owner, redelivery || '-', hop, attempts, firstAttemptMs, notBeforeMs];
  return { ...source.headers, [messageHeader.id]: id, [name]: parts.join(' ') };
}

/** The headers as the caller's message had them. */
export function withoutSideNote(headers: MessageHeaders): Record<string, string> {
  const { [name]: _note, ...rest } = headers;
  return rest;
}

/** Undefined for a message that has none, null for one that cannot be read. */
export function sideNoteOf(headers: MessageHeaders): SideNote | null | undefined {
  const text = headers[name];
  if (text === undefined) return undefined;
  const parts = pattern.exec(text);
  const from = positionOf(parts?.[1]);
  const origin = positionOf(parts?.[2]);
  if (parts === null || from === null || origin === null) return null;
  const [owner, redelivery, ...numbers] = parts.slice(3) as [string, string, ...string[]];
  const [hop, attempts, firstAttemptMs, notBeforeMs] = numbers.map(Number) as [number, number, number, number];
  return {
    from,
    origin,
    owner,
    hop,
    attempts,
    redelivery: redelivery === '-' ? '' : redelivery,
    firstAttemptMs,
    notBeforeMs,
  };
}

const placeOf = ({ topic, partition, offset }: Position) => `${topic}/${partition}/${offset}`;

/** Null for what is no place. */
export function positionOf(text: string | undefined): Position | null {
  const parts = /^([^/ ]+)\/(\d{1,6})\/(\d{1,18})$/.exec(text ?? '');
  return parts === null
    ? null
    : { topic: parts[1] as string, partition: Number(parts[2]), offset: BigInt(parts[3] as string) };
}
