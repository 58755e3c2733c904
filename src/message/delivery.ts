// One message on its way to one subscription's receiver.

import { type CallUrl, parseCallUrl } from './call-url.js';
import { type MessageHeaders, messageHeader, type Position, type StoredMessage } from './message.js';
import { timeOfMessageId } from './message-id.js';
import { retryReasons } from './outcome.js';
import type { RequestShape } from './request-shape.js';
import { type SideNote, sideNoteOf } from './side-message.js';
import { plainTraceparent, plainTracestate, storedTrace, type TraceContext } from './trace-context.js';
import type { Verdicts } from './verdict.js';

/** Why the receiver may get a message another time: how the attempt before ended, or that its owner did not come to end it. */
export const redeliveries = [...retryReasons, 'rebalance', 'crash', 'redrive'] as const;
export type Redelivery = (typeof redeliveries)[number];

export interface SigningSettings {
  readonly secrets: readonly { readonly kind: 'hmac' | 'ed25519'; readonly keyBase64: string }[];
}

/** What a subscription says about every one of its deliveries. */
export interface DeliverySettings {
  /** The first one and the retries. */
  readonly maxAttempts: number;
  /** Bound of one whole exchange, connect included. */
  readonly timeoutMs: number;
  readonly verdicts: Verdicts;
  /** An answer's body is read up to here, so that its connection can be used again; past it the connection goes. */
  readonly maxAnswerBytes: number;
  /** The whole answer is wanted, as long as it is no longer than that. */
  readonly keepsAnswer: boolean;
  /** null: requests are not signed. */
  readonly signing: SigningSettings | null;
  /** Receivers have agreed to these deliveries, and are told so by whom. */
  readonly needsConsent?: boolean;
  /** The name under which an origin's limits, circuit and order stand. */
  readonly destinationOf: (origin: string) => string;
  /** Where a message goes that names no URL: there, to one endpoint of the subscription's group, or nowhere. */
  readonly defaultUrl: CallUrl | 'group' | null;
  /** Of the requests for messages that name no URL; absent: as any other. */
  readonly shape?: RequestShape;
  /** The group whose members fetch the messages; null: they are sent to their URLs. */
  readonly mailbox: string | null;
}

/** Of all messages that are fetched: their one destination, and where they stand that name no URL. Nothing is sent there. */
export const mailboxUrl: CallUrl = { origin: 'pull', path: '/' };

/** A message × a subscription. Created once a message is read; `attempt` counts up with each try. */
export interface Delivery {
  readonly id: string;
  /** The message as it stands where it was read. */
  readonly source: StoredMessage;
  /** Where it was first stored. */
  readonly origin: Position;
  /** Set for one that was moved to a topic of the subscription's own. */
  readonly side: SideNote | null;
  /** Of a group's delivery: its endpoint's, from an attempt on. */
  url: CallUrl;
  /** The endpoint of the latest attempt, if its subscription has a group of them. */
  endpoint: string | null;
  /** What its limits, its circuit and its order belong to: the URL's origin, or the name that a subscription gave it. */
  readonly destination: string;
  /** Set where the message names no URL, and the subscription has a say in the request. */
  readonly shape: RequestShape | null;
  /** What the body asks for, where the subscription wants to know. */
  readonly method: string | null;
  /** The group whose members fetch it; null: it is sent to its URL. */
  readonly mailbox: string | null;
  /** Headers that the caller asked for: name, value, name, value … */
  readonly forwarded: readonly string[];
  /** 1 for the first try. */
  attempt: number;
  /** Set on every attempt that may be a repeat. */
  redelivery: Redelivery | null;
  readonly settings: DeliverySettings;
  /** Its caller's bound on the attempts, beside the subscription's; infinite for none. */
  readonly deliverLimit: number;
  /** Unix milliseconds of the first try, 0 before it. */
  firstAttemptMs: number;
  /** Unix milliseconds before which it is not sent, 0 for at once. */
  notBeforeMs: number;
  /** Unix milliseconds from which on no attempt begins, 0 for never. */
  readonly expiresMs: number;
  /** Where somebody waits for the receiver's answer; null: nobody does. */
  readonly replyTo: string | null;
  /** Of the attempt under way, in place of the stored one; null: the stored one goes along. */
  attemptTrace: TraceContext | null;
  /** Where the receiver's answer is to be delivered; null: nowhere. */
  readonly callbackUrl: string | null;
}

/** Under this name the group's lanes stand: with many endpoints it is the group whose order is kept. No origin and no name looks like it. */
export const groupDestination = '@endpoints';

const notChosen: CallUrl = { origin: groupDestination, path: '/' };

/** Why a stored message cannot become a delivery; it goes to the dead letter at once. */
export interface InvalidMessage {
  readonly invalid: string;
}

/** `first`: where it was first stored, if that is told elsewhere than by itself. Reads a stored message; never throws, because a log may hold what an older or foreign writer put there. */
export function deliveryOf(
  source: StoredMessage,
  settings: DeliverySettings,
  redelivery: Redelivery | null,
  first: Position | null = null,
): Delivery | InvalidMessage {
  const target = source.headers[messageHeader.url];
  const shape = target === undefined ? (settings.shape ?? null) : null;
  const method = shape?.methodOf?.(source.body) ?? null;
  // A callback goes to its URL, whoever fetched what it answers.
  const mailbox = source.headers[messageHeader.callbackOf] === undefined ? settings.mailbox : null;
  const url = target === undefined ? unnamedUrlOf(settings, mailbox) : parseCallUrl(target);
  if (url === null && target === undefined) return { invalid: `header ${messageHeader.url} is missing` };
  if (url === null) return { invalid: `header ${messageHeader.url} is no URL of a call` };
  if (method === null && shape?.methodOf) return { invalid: 'the body is no msgpack map with a text under "method"' };
  const side = sideNoteOf(source.headers);
  if (side === null) return { invalid: 'the note of a moved message cannot be read' };
  const origin = first ?? side?.origin ?? source;
  return {
    side: side ?? null,
    origin,
    id: source.headers[messageHeader.id] ?? `${origin.topic}-${origin.partition}-${origin.offset}`,
    source,
    url: shape?.uri && isSentTo(url) ? shape.uri.at(url, source, origin, method) : url,
    endpoint: null,
    shape,
    method,
    destination: destinationOf(url, settings, mailbox),
    mailbox,
    forwarded: forwardedOf(source.headers),
    attempt: (side?.attempts ?? 0) + 1,
    redelivery: redelivery ?? redeliveryOf(side),
    settings,
    deliverLimit: deliverLimitOf(source.headers[messageHeader.deliverLimit]),
    firstAttemptMs: side?.firstAttemptMs ?? 0,
    notBeforeMs: side?.notBeforeMs ?? momentOf(source.headers[messageHeader.notBefore]),
    expiresMs: momentOf(source.headers[messageHeader.expires]),
    replyTo: source.headers[messageHeader.replyTo] ?? null,
    attemptTrace: null,
    callbackUrl: source.headers[messageHeader.callbackUrl] ?? null,
  };
}

/** Of an endpoint, for this delivery. */
export function urlAt(endpoint: CallUrl, { shape, source, origin, method }: Delivery): CallUrl {
  return shape?.uri ? shape.uri.at(endpoint, source, origin, method) : endpoint;
}

/** Where a message stands that names no URL; null: nowhere. */
function unnamedUrlOf({ defaultUrl }: DeliverySettings, mailbox: string | null): CallUrl | null {
  if (mailbox !== null) return mailboxUrl;
  return defaultUrl === 'group' ? notChosen : defaultUrl;
}

/** False where it stands for others, or for nobody. */
const isSentTo = (url: CallUrl) => url !== notChosen && url !== mailboxUrl;

function destinationOf(url: CallUrl, settings: DeliverySettings, mailbox: string | null): string {
  if (mailbox !== null) return mailboxUrl.origin;
  return url === notChosen ? groupDestination : settings.destinationOf(url.origin);
}

function deliverLimitOf(text: string | undefined): number {
  return text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}

/** Of the subscription and of the caller, whichever allows fewer. */
export function maxAttemptsOf({ settings, deliverLimit }: Pick<Delivery, 'settings' | 'deliverLimit'>): number {
  return Math.min(settings.maxAttempts, deliverLimit);
}

/** 0 for what is no moment. */
function momentOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/**
 * Milliseconds until it may be sent, 0 or less for now. Not longer than it was to wait when it was stored where it stands,
 * whatever was done to the machine's clock since.
 */
export function leftToWaitMs({ notBeforeMs, source }: Delivery, nowMs: number): number {
  return notBeforeMs === 0 ? 0 : Math.min(notBeforeMs - nowMs, notBeforeMs - source.timestampMs);
}

/** Unix milliseconds at which it was accepted, or before which its caller did not want it sent. */
export function wantedAtMs({ id, source, side }: Delivery): number {
  // A copy is younger than its message.
  const acceptedMs = (side === null ? null : timeOfMessageId(id)) ?? source.timestampMs;
  return Math.max(acceptedMs, momentOf(source.headers[messageHeader.notBefore]));
}

function redeliveryOf(side: SideNote | undefined): Redelivery | null {
  return redeliveries.find((reason) => reason === side?.redelivery) ?? null;
}

const nothing: readonly string[] = [];

function forwardedOf(headers: MessageHeaders): readonly string[] {
  let forwarded: string[] | undefined;
  for (const name in headers) {
    if (!name.startsWith(messageHeader.forward)) continue;
    forwarded ??= [];
    forwarded.push(name.slice(messageHeader.forward.length), headers[name] as string);
  }
  const trace = plainTraceparent in headers && !(messageHeader.traceparent in headers) ? storedTrace(headers) : null;
  if (trace !== null) {
    forwarded ??= [];
    forwarded.push(plainTraceparent, trace.traceparent);
    if (trace.tracestate !== null) forwarded.push(plainTracestate, trace.tracestate);
  }
  return forwarded ?? nothing;
}
