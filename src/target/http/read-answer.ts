// What a receiver's status means for the message.

export type Verdict = 'delivered' | 'retry' | 'rejected';

/** Conflict, too early, too many, timed out: the same request may succeed later. */
const retriable: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** 2xx is delivered; 5xx and the few above are worth another try; everything else, redirects too, is a no. */
export function readStatus(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered';
  if (status >= 500 || retriable.has(status)) return 'retry';
  return 'rejected';
}
