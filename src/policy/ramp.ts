// A rate that grows from little to full, paced; pure, time is handed in.

/** Tokens that may be saved up while the rate grows: what falls due in this time, so that timers need not be finer. */
const pacingMs = 10;

export interface RampShape {
  /** Tokens a second at the start; above 0. */
  readonly from: number;
  /** Tokens a second at the end and from then on. */
  readonly to: number;
  /** As of a token bucket, from the end of the ramp on. */
  readonly burst: number;
  readonly periodMs: number;
}

/**
 * The rate grows by the same factor in every second, so that the receiver has always borne almost as much a moment
 * before, however far `to` is from `from`. It begins with `saved` tokens; at no moment have more been taken than these
 * and the area under the curve. Once the full rate is reached, a burst must be saved up again: there is no herd at the end.
 */
export class Ramp {
  private saved: number;
  private readAtMs: number;
  /** Natural logarithm of the growth over the whole period. */
  private readonly growth: number;
  private readonly from: number;

  constructor(
    private readonly shape: RampShape,
    private readonly startMs: number,
    saved: number,
  ) {
    this.saved = saved;
    this.readAtMs = startMs;
    this.from = Math.min(shape.from, shape.to);
    this.growth = Math.log(shape.to / this.from);
  }

  get endMs(): number {
    return this.startMs + this.shape.periodMs;
  }

  /** Tokens a second at a moment. */
  rateAt(nowMs: number): number {
    const { periodMs, to } = this.shape;
    const part = (nowMs - this.startMs) / periodMs;
    return part >= 1 ? to : this.from * Math.exp(this.growth * Math.max(0, part));
  }

  /** When the rate is reached; the end for a higher one. */
  timeAt(rate: number): number {
    const { periodMs, to } = this.shape;
    if (rate >= to || this.growth === 0) return this.endMs;
    return this.startMs + (periodMs * Math.max(0, Math.log(rate / this.from))) / this.growth;
  }

  /** True once a token bucket of the full rate would allow the same. */
  isOver(nowMs: number): boolean {
    this.refill(nowMs);
    return nowMs >= this.endMs && this.saved >= this.shape.burst;
  }

  /** Takes a token and returns 0, or takes none and returns the milliseconds until there is one. */
  take(nowMs: number): number {
    this.refill(nowMs);
    // A millionth forgives what rounding loses.
    if (this.saved >= 1 - 1e-6) {
      this.saved = Math.max(0, this.saved - 1);
      return 0;
    }
    return this.waitFor(1 - this.saved, nowMs);
  }

  /** Puts a token back that was not used. */
  giveBack(): void {
    this.saved += 1;
  }

  private refill(nowMs: number): void {
    const until = Math.max(nowMs, this.readAtMs);
    // What nobody took while the rate grew is not saved up for its end.
    if (this.readAtMs < this.endMs) this.save(Math.min(until, this.endMs), this.mostWhileGrowing(until));
    if (until > this.endMs) this.save(until, this.shape.burst);
  }

  private save(untilMs: number, most: number): void {
    this.saved = Math.min(most, this.saved + this.area(untilMs) - this.area(this.readAtMs));
    this.readAtMs = untilMs;
  }

  private mostWhileGrowing(nowMs: number): number {
    return Math.min(this.shape.burst, Math.max(1, (this.rateAt(nowMs) * pacingMs) / 1000));
  }

  /** Tokens from the start up to a moment: the integral of the rate. */
  private area(nowMs: number): number {
    const { periodMs, to } = this.shape;
    const insideMs = Math.min(nowMs - this.startMs, periodMs);
    const behindMs = nowMs - this.startMs - insideMs;
    const inside =
      this.growth === 0
        ? (to * insideMs) / 1000
        : (((this.from * periodMs) / this.growth) * Math.expm1((this.growth * insideMs) / periodMs)) / 1000;
    return inside + (to * behindMs) / 1000;
  }

  /** The inverse of the area. */
  private waitFor(tokens: number, nowMs: number): number {
    const { periodMs, to } = this.shape;
    const goal = this.area(nowMs) + tokens;
    const whole = this.area(this.endMs);
    if (goal >= whole) return this.endMs + ((goal - whole) / to) * 1000 - nowMs;
    const insideMs =
      this.growth === 0
        ? (goal / to) * 1000
        : (periodMs / this.growth) * Math.log1p((goal * 1000 * this.growth) / (this.from * periodMs));
    return this.startMs + insideMs - nowMs;
  }
}
