// What a receiver's status means for the message.

export type Verdict = 'delivered' | 'retry' | 'rejected';

/** Statuses that a subscription lists itself; null leaves the list as it is by default. */
export interface StatusLists {
  readonly success: ReadonlySet<number> | null;
  readonly retry: ReadonlySet<number> | null;
  readonly reject: ReadonlySet<number> | null;
}

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
  private readonly lists: ReadonlyMap<Verdict, ReadonlySet<number> | null>;

  constructor(lists: StatusLists) {
    this.lists = new Map<Verdict, ReadonlySet<number> | null>([
      ['rejected', lists.reject],
      ['retry', lists.retry],
      ['delivered', lists.success],
    ]);
  }

  of(status: number): Verdict {
    for (const [verdict, list] of this.lists) if (list?.has(status)) return verdict;
    const usual = byDefault(status);
    // Its kind is listed, and it is not in that list.
    if (this.lists.get(usual) === null) return usual;
    return this.lists.get('retry') === null ? 'retry' : 'rejected';
  }
}

export const defaultVerdicts = new Verdicts({ success: null, retry: null, reject: null });
