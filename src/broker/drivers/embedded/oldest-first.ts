// Which chunk retention takes next: of the oldest ones of all partitions the oldest that may go, as cheap among thousands as among a few.

interface Candidate {
  /** Of what its partition still has; undefined: nothing. `t` is when it was written, in Unix milliseconds. */
  oldest: { readonly t: number } | undefined;
}

export class OldestFirst<C extends Candidate> {
  /** The oldest stands at the end. */
  private readonly waiting: C[];

  /** `mayGo`: asked when a candidate's turn comes; who may not go then never may. */
  constructor(
    candidates: readonly C[],
    private readonly mayGo: (candidate: C) => boolean,
  ) {
    this.waiting = candidates
      .filter(({ oldest }) => oldest !== undefined)
      .sort((a, b) => writtenAt(a) - writtenAt(b))
      .reverse();
  }

  /** It is not asked again before `back`. */
  next(): C | undefined {
    for (let candidate = this.waiting.pop(); candidate !== undefined; candidate = this.waiting.pop()) {
      if (this.mayGo(candidate)) return candidate;
    }
    return undefined;
  }

  /** Its oldest has gone, and the next one is its oldest now. */
  back(candidate: C): void {
    const { waiting } = this;
    if (candidate.oldest === undefined) return;
    const at = writtenAt(candidate);
    let [from, to] = [0, waiting.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (writtenAt(waiting[middle] as C) > at) from = middle + 1;
      else to = middle;
    }
    waiting.splice(from, 0, candidate);
  }
}

const writtenAt = ({ oldest }: Candidate) => oldest?.t ?? 0;
