// One message on its way to one subscription's receiver.

import { type CallUrl, parseCallUrl } from './call-url.js';
import { type MessageHeaders, messageHeader, type StoredMessage } from './message.js';

/** A message × a subscription. Created once a message is read; `attempt` counts up with each try. */
export interface Delivery {
  readonly id: string;
  readonly source: StoredMessage;
  readonly url: CallUrl;
  /** Headers that the caller asked for: name, value, name, value … */
  readonly forwarded: readonly string[];
  /** 1 for the first try. */
  attempt: number;
  readonly maxAttempts: number;
  /** Bound of one whole exchange, connect included. */
  readonly timeoutMs: number;
  /** Unix milliseconds of the first try, 0 before it. */
  firstAttemptMs: number;
}

/** Why a stored message cannot become a delivery; it goes to the dead letter at once. */
export interface InvalidMessage {
  readonly invalid: string;
}

/** Reads a stored message; never throws, because a log may hold what an older or foreign writer put there. */
export function deliveryOf(
  source: StoredMessage,
  settings: { readonly retries: number; readonly timeoutMs: number },
): Delivery | InvalidMessage {
  const target = source.headers[messageHeader.url];
  if (target === undefined) return { invalid: `header ${messageHeader.url} is missing` };
  const url = parseCallUrl(target);
  if (url === null) return { invalid: `header ${messageHeader.url} is not an http or https URL` };
  return {
    id: source.headers[messageHeader.id] ?? `${source.topic}-${source.partition}-${source.offset}`,
    source,
    url,
    forwarded: forwardedOf(source.headers),
    attempt: 1,
    maxAttempts: settings.retries + 1,
    timeoutMs: settings.timeoutMs,
    firstAttemptMs: 0,
  };
}

const nothing: readonly string[] = [];

function forwardedOf(headers: MessageHeaders): readonly string[] {
  let forwarded: string[] | undefined;
  for (const name in headers) {
    if (!name.startsWith(messageHeader.forward)) continue;
    forwarded ??= [];
    forwarded.push(name.slice(messageHeader.forward.length), headers[name] as string);
  }
  return forwarded ?? nothing;
}
