// What stands in the log of transactions: one record for each thing that happens to one of them.
import { type Message, type MessageHeaders, messageHeader, type StoredMessage } from '../message/message.js';
import { transactionTopic } from '../message/side-topic.js';
import { type Happening, type Saying, type Undecided } from './transaction-state.js';

/** Facts of a transaction that never change. */
export interface Facts {
  /** The name under which it was begun; nobody else may see or decide it. */
  readonly caller: string;
  /** Instances of its producer, any of which can say what became of it. */
  readonly checkUrls: readonly string[];
  readonly firstCheckMs: number;
  readonly createdMs: number;
}

export type Entry =
  | ({ readonly kind: 'begin'; readonly id: string } & Facts)
  /** The same transaction further ahead in the log; what was known of it up to `asOf`. */
  | ({
      readonly kind: 'carry';
      readonly id: string;
      readonly state: Undecided;
      readonly asOf: number;
      readonly epoch: string;
    } & Facts)
  | ({ readonly id: string } & Happening)
  /** Who keeps the transactions from here on: what an earlier one carries behind it does not hold. */
  | { readonly kind: 'owns'; readonly epoch: string }
  /** Whoever reads it has read all before it. */
  | { readonly kind: 'look' };

const nothing = Buffer.alloc(0);

/** `body`: the messages, of begin and carry. */
export function recordOf(entry: Entry, body: Buffer = nothing, headers: MessageHeaders = {}): Message {
  const key = 'id' in entry ? Buffer.from(entry.id) : null;
  const text = JSON.stringify(entry);
  return {
    topic: transactionTopic,
    partition: 0,
    key,
    body,
    headers: { ...headers, [messageHeader.transaction]: text },
  };
}

/** Null for what cannot be read. */
export function entryOf({ key, headers, body }: StoredMessage): Entry | null {
  const outcome = headers[messageHeader.answer];
  if (outcome !== undefined) return answerOf(key?.toString() ?? '', headers[messageHeader.answerNote], outcome, body);
  try {
    const entry = JSON.parse(headers[messageHeader.transaction] ?? 'null') as Entry | null;
    return entry !== null && kinds.has(entry.kind) ? entry : null;
  } catch {
    return null;
  }
}

const kinds: ReadonlySet<Entry['kind']> = new Set([
  'begin',
  'carry',
  'decide',
  'asked',
  'answer',
  'done',
  'again',
  'owns',
  'look',
]);

/** What the dispatcher kept of a check's end. */
function answerOf(id: string, note: string | undefined, outcome: string, body: Buffer): Entry | null {
  const ask = Number(note);
  if (id === '' || !Number.isInteger(ask)) return null;
  const says = outcome.startsWith('answered') ? saidIn(body) : outcome.startsWith('unsent') ? 'unsent' : 'silent';
  return { kind: 'answer', id, ask, says };
}

/** Only these words decide; everything else does not. */
function saidIn(body: Buffer): Saying {
  try {
    const { state } = JSON.parse(body.toString('utf8')) as { state?: unknown };
    if (state === 'commit' || state === 'rollback') return state;
  } catch {
    // What cannot be read says nothing.
  }
  return 'unknown';
}
