// Which headers a caller may have sent to the receiver, and what a header's value may be.
import { isHeldBack } from '../message/held-back.js';

/** Names and values together: receivers commonly take 8 to 16 KiB of headers in all. */
export const maxForwardedLength = 8192;
export const maxForwarded = 50;

const namePattern = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** Visible ASCII and spaces inside: what every server takes. */
const valuePattern = /^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/;

/** Why a header of that name (in lower case) is not forwarded; null when it is. */
export function whyNotForwarded(name: string): string | null {
  if (!namePattern.test(name)) return 'a name is not a header name';
  return isHeldBack(name) ? `${name} is not forwarded` : null;
}

export function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxForwardedLength && valuePattern.test(value);
}
