// How many requests a receiver can bear at once, found out from how it answers; pure.

/** Vegas: fewer than this many requests queueing at the receiver, times log10 of the limit: there is room. */
const roomy = 3;
/** More than this many, times log10 of the limit: it is too much. */
const crowded = 6;
/** After a timeout, a 429 or a 503. */
const backOff = 0.9;
/** The best time is measured anew after so many times the limit's attempts, since receivers and networks change. */
const measureAfter = 30;
/** Meanwhile the limit is this part of itself, so that what queued at the receiver is gone. */
const measuredAt = 0.5;

/** How an attempt ended: its work done, refused for overload, or anything else, which says nothing about time. */
export type LimitSign = 'done' | 'overloaded' | 'other';

/**
 * TCP Vegas over requests. The best time seen is taken for the time without a queue; what is above it is queueing:
 * queue = limit × (1 − best / now). The limit changes once a round, which is as many answers as the limit,
 * so that each change is judged by what it brought. Now and then it goes down for two rounds, one in which the queue
 * drains and one in which the best time is measured anew. Always whole, from min to max.
 */
export class AdaptiveLimit {
  private exact: number;
  private best = Number.POSITIVE_INFINITY;
  private sinceMeasured = 0;
  private phase: 'working' | 'draining' | 'measuring' = 'working';
  private round = newRound();

  constructor(
    private min: number,
    private max: number,
  ) {
    this.exact = Math.max(min, Math.min(max, 10));
  }

  get limit(): number {
    return Math.floor(this.phase === 'working' ? this.exact : Math.max(this.min, this.exact * measuredAt));
  }

  adjust(min: number, max: number): void {
    this.min = min;
    this.max = max;
    this.exact = Math.min(max, Math.max(min, this.exact));
  }

  /** An attempt ended in `durationMs` while `inFlight`, itself included, were on their way. */
  sample(sign: LimitSign, durationMs: number, inFlight: number): void {
    const { round } = this;
    round.most = Math.max(round.most, inFlight);
    round.ended += 1;
    if (sign === 'overloaded') round.overloads += 1;
    if (sign === 'done') {
      round.done += 1;
      round.sumMs += durationMs;
      round.bestMs = Math.min(round.bestMs, durationMs);
    }
    this.sinceMeasured += 1;
    if (round.ended >= this.limit) this.endRound();
  }

  private endRound(): void {
    const { round } = this;
    this.round = newRound();
    if (round.overloads > 0) this.set(this.exact * backOff);
    if (this.phase === 'draining') this.phase = 'measuring';
    else if (this.phase === 'measuring') this.measured(round.bestMs);
    else this.work(round);
  }

  private work({ done, sumMs, bestMs, overloads, most }: Round): void {
    this.best = Math.min(this.best, bestMs);
    // Who did not use the limit learns nothing about a higher one.
    if (overloads === 0 && done > 0 && most * 2 >= this.limit) this.step(sumMs / done);
    if (this.sinceMeasured > measureAfter * this.limit) this.phase = 'draining';
  }

  private measured(bestMs: number): void {
    this.phase = 'working';
    this.sinceMeasured = 0;
    if (bestMs < Number.POSITIVE_INFINITY) this.best = bestMs;
  }

  private step(averageMs: number): void {
    const scale = Math.max(1, Math.log10(this.exact));
    const queue = averageMs <= this.best ? 0 : this.exact * (1 - this.best / averageMs);
    if (queue < roomy * scale) this.set(this.exact + scale);
    else if (queue > crowded * scale) this.set(this.exact - scale);
  }

  private set(limit: number): void {
    this.exact = Math.min(this.max, Math.max(this.min, limit));
  }
}

interface Round {
  ended: number;
  done: number;
  sumMs: number;
  bestMs: number;
  overloads: number;
  most: number;
}

const newRound = (): Round => ({
  ended: 0,
  done: 0,
  sumMs: 0,
  bestMs: Number.POSITIVE_INFINITY,
  overloads: 0,
  most: 0,
});
