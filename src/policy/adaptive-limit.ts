// How many requests a receiver can bear at once, found out from how it answers; pure.

/** Vegas: fewer than this many requests queueing at the receiver, times log10 of the limit: there is room. */
const roomy = 3;
/** More than this many, times log10 of the limit: it is too much. */
const crowded = 6;
/** After a timeout, a 429 or a 503. */
const backOff = 0.9;
/** The best time ever seen is forgotten after so many times the limit's attempts, since receivers and networks change. */
const forgetAfter = 30;

/**
 * TCP Vegas over requests. The best time seen is taken for the time without a queue; what is above it is queueing:
 * queue = limit × (1 − best / now). The limit changes once a round, which is as many answers as the limit,
 * so that each change is judged by what it brought. Always whole, from min to max.
 */
export class AdaptiveLimit {
  private exact: number;
  private best = Number.POSITIVE_INFINITY;
  private sinceBest = 0;
  private round = { answers: 0, sumMs: 0, overloads: 0, most: 0 };

  constructor(
    private min: number,
    private max: number,
  ) {
    this.exact = Math.max(min, Math.min(max, 10));
  }

  get limit(): number {
    return Math.floor(this.exact);
  }

  adjust(min: number, max: number): void {
    this.min = min;
    this.max = max;
    this.exact = Math.min(max, Math.max(min, this.exact));
  }

  /** An attempt ended in `durationMs` while `inFlight`, itself included, were on their way. */
  sample(durationMs: number, overloaded: boolean, inFlight: number): void {
    const { round } = this;
    round.most = Math.max(round.most, inFlight);
    if (overloaded) round.overloads += 1;
    else {
      this.best = Math.min(this.best, durationMs);
      round.sumMs += durationMs;
      round.answers += 1;
    }
    this.sinceBest += 1;
    if (round.answers + round.overloads >= this.limit) this.endRound();
  }

  private endRound(): void {
    const { answers, sumMs, overloads, most } = this.round;
    this.round = { answers: 0, sumMs: 0, overloads: 0, most: 0 };
    if (overloads > 0) this.set(this.exact * backOff);
    // Who did not use the limit learns nothing about a higher one.
    else if (most * 2 >= this.limit) this.step(sumMs / answers);
    if (this.sinceBest > forgetAfter * this.limit) {
      this.best = answers > 0 ? sumMs / answers : Number.POSITIVE_INFINITY;
      this.sinceBest = 0;
    }
  }

  private step(averageMs: number): void {
    const scale = Math.max(1, Math.log10(this.exact));
    const queue = this.exact * (1 - this.best / Math.max(averageMs, this.best, Number.MIN_VALUE));
    if (queue < roomy * scale) this.set(this.exact + scale);
    else if (queue > crowded * scale) this.set(this.exact - scale);
  }

  private set(limit: number): void {
    this.exact = Math.min(this.max, Math.max(this.min, limit));
  }
}
