// What a receiver's answer to the question for its consent comes to; pure.
import type { ConsentReply } from '../../target/target.js';

export type ConsentAnswer =
  /** How many requests a minute it allows; null for any number. */
  | { readonly kind: 'granted'; readonly perMinute: number | null }
  /** It answered, and not that it agrees. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Nobody can say what it wants. */
  | { readonly kind: 'silent'; readonly why: string }
  /** We ourselves stopped asking. */
  | { readonly kind: 'stopped' };

/** Of what strangers write, so much is told. */
const shownChars = 60;

/**
 * `origin`: who asked. Consent is a 2xx with both headers, each with a value that the specification knows: the origin that
 * asked, or `*`; a whole number above zero, or `*`. A status alone says nothing, as many answer OPTIONS without meaning it.
 */
export function answerOf({ outcome, allowedOrigin, allowedRate }: ConsentReply, origin: string): ConsentAnswer {
  if (outcome.kind === 'aborted') return { kind: 'stopped' };
  if (outcome.kind === 'retry') return { kind: 'silent', why: outcome.detail };
  if (outcome.kind === 'rejected') return { kind: 'refused', why: outcome.detail };
  const refused = (why: string): ConsentAnswer => ({ kind: 'refused', why: `it answered ${outcome.status} ${why}` });
  if (allowedOrigin === null) return refused('without WebHook-Allowed-Origin');
  if (allowedOrigin !== '*' && allowedOrigin.toLowerCase() !== origin.toLowerCase())
    return refused(`with WebHook-Allowed-Origin ${shown(allowedOrigin)}, not for ${origin}`);
  if (allowedRate === null) return refused('without WebHook-Allowed-Rate');
  if (allowedRate === '*') return { kind: 'granted', perMinute: null };
  const perMinute = /^\d{1,15}$/.test(allowedRate) ? Number(allowedRate) : 0;
  if (perMinute === 0) return refused(`with WebHook-Allowed-Rate ${shown(allowedRate)}, which is no rate`);
  return { kind: 'granted', perMinute };
}

const shown = (text: string) => JSON.stringify(text.length > shownChars ? `${text.slice(0, shownChars - 3)}...` : text);
