// What a receiver's status means for the message.

export type Verdict = 'delivered' | 'retry' | 'rejected';

/** Statuses that a subscription lists itself; null leaves the list as it is by default. */
export interface StatusLists {
  readonly success: ReadonlySet<number> | null;
  readonly retry: ReadonlySet<number> | null;
  readonly reject: ReadonlySet<number> | null;
}

const highestStatus = 999;
/** Conflict, too early, too many, timed out: the same request may succeed later. */
const retriable: ReadonlySet<number> = new Set([408, 409, 425, 429]);

/** 2xx is delivered; 5xx and the few above are worth another try; everything else, redirects too, is a no. */
function byDefault(status: number): Verdict {
  if (status >= 200 && status < 300) return 'delivered';
  if (status >= 500 || retriable.has(status)) return 'retry';
  return 'rejected';
}

/**
 * A list takes the place of the default one of its kind. A status that then stands in none is retried,
 * or rejected where what is retried is listed.
 */
export class Verdicts {
  /** By status; above the last one it is as with 5xx. */
  private readonly table: readonly Verdict[];

  constructor(lists: StatusLists) {
    this.table = Array.from({ length: highestStatus + 1 }, (_, status) => verdictOf(status, lists));
  }

  of(status: number): Verdict {
    return this.table[status] ?? 'retry';
  }
}

function verdictOf(status: number, { success, retry, reject }: StatusLists): Verdict {
  if (reject?.has(status) === true) return 'rejected';
  if (retry?.has(status) === true) return 'retry';
  if (success?.has(status) === true) return 'delivered';
  const usual = byDefault(status);
  const listed = { delivered: success, retry, rejected: reject }[usual];
  if (listed === null) return usual;
  // Its kind is listed, and it is not in that list.
  return retry === null ? 'retry' : 'rejected';
}

export const defaultVerdicts = new Verdicts({ success: null, retry: null, reject: null });
