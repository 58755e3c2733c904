// What a caller hands over, before and after it is stored.

/** Header names are lower case; values are text. Repeated headers are not kept apart. */
export type MessageHeaders = Readonly<Record<string, string>>;

/** How strong an append must be: 0 before the write, 1 the leader's disk, -1 all in-sync replicas. */
export const ackLevels = [0, 1, -1] as const;
export type Acks = (typeof ackLevels)[number];

/** A message before the append. Everything that is not key or body travels in its headers. */
export interface Message {
  readonly topic: string;
  /** Chooses the partition and the lane; null means: no order asked for. */
  readonly key: Buffer | null;
  /** The bytes that the receiver gets, untouched. */
  readonly body: Buffer;
  readonly headers: MessageHeaders;
  /** Set only for side topics, whose partition is the one of the message's origin. */
  readonly partition?: number;
}

/** Where a message stands in the log. Offsets are dense and begin at 0 in every partition. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A message after the append. */
export interface StoredMessage extends Message, Position {
  readonly partition: number;
  /** Unix milliseconds at which the broker took the message. */
  readonly timestampMs: number;
}

/** The names under which bigpipe's own facts travel in a message's headers. */
export const messageHeader = {
  id: 'bigpipe-message-id',
  url: 'bigpipe-url',
  contentType: 'content-type',
  /** The finer label within a topic. */
  type: 'bigpipe-type',
  /** Unix milliseconds before which it is not sent. */
  notBefore: 'bigpipe-not-before',
  /** Unix milliseconds from which on it is not worth sending any more. */
  expires: 'bigpipe-expires',
  /** How often it is tried at most, where its caller said so. */
  deliverLimit: 'bigpipe-deliver-limit',
  /** The name under which it was sent: who may see and cancel it. Never sent to a receiver. */
  acl: 'bigpipe-acl',
  /** Where somebody waits for the receiver's answer (Replies.channel). Never sent to a receiver. */
  replyTo: 'bigpipe-reply-to',
  /** Under which key the receiver's answer may be kept for calls like this one, and for how many milliseconds. Never sent to a receiver. */
  cache: 'bigpipe-cache',
  /** What a transaction's record says (transaction/transaction-record.ts). Never sent to a receiver. */
  transaction: 'bigpipe-transaction',
  /** How the delivery ended whose receiver's answer the body is: `answered`, `failed` or `unsent`, and the status. */
  answer: 'bigpipe-answer',
  /** What its answer bears to say whose it is. */
  answerNote: 'bigpipe-answer-note',
  /** Where the receiver's answer is to be delivered as a message of its own. Never sent to a receiver. */
  callbackUrl: 'bigpipe-callback-url',
  /** Of such a message: the id of the one that was answered. */
  callbackOf: 'bigpipe-callback-of',
  /** Of such a message: `answered` by the receiver, or `failed`. */
  replyKind: 'bigpipe-reply',
  /** Of such a message: the receiver's status, 0 for none. */
  replyStatus: 'bigpipe-reply-status',
  /** The only group that delivers it; absent: every group of its topic. Never sent to a receiver. */
  onlyGroup: 'bigpipe-only-group',
  /** The trace that it belongs to (W3C), forwarded like what the caller asked for. */
  traceparent: 'bigpipe-forward-traceparent',
  tracestate: 'bigpipe-forward-tracestate',
  /** Prefix of a header that the caller asked to be sent to the receiver. */
  forward: 'bigpipe-forward-',
} as const;

/** Objects, headers and offsets around a message's bytes, as a heap snapshot shows them. */
const flatWeight = 700;

/** What a message weighs in memory, in bytes. */
export function weightOf(message: Message): number {
  let weight = flatWeight + message.body.length + (message.key?.length ?? 0);
  for (const name in message.headers) weight += name.length + (message.headers[name] as string).length;
  return weight;
}

/** Bytes that are cut out of at most so many more of them keep little in memory that nobody needs. */
const tolerated = 2;

/** True when the bytes keep far more in memory than they are: a pool that they were written to, or all that was read with them. */
export function isCutOut({ body }: Pick<Message, 'body'>): boolean {
  return body.buffer.byteLength > tolerated * body.length + flatWeight;
}

/** Gives key and body memory of their own, in place: for a message that stays while those around it go. */
export function cutLoose(message: Message): void {
  const { key, body } = message;
  const own = Buffer.allocUnsafeSlow(body.length + (key?.length ?? 0));
  own.set(body);
  if (key !== null) own.set(key, body.length);
  Object.assign(message, {
    body: own.subarray(0, body.length),
    key: key === null ? null : own.subarray(body.length),
  } satisfies Pick<Message, 'body' | 'key'>);
}
