// A destination that is new, or back after a long silence, gets a share first and grows to all of it.
import { Injectable } from '@nestjs/common';
import { Clock } from '../message/clock.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  free,
  Gate,
  type GateScope,
  type GateSettings,
  type GateState,
  lowestRate,
  type Pass,
} from './policy.js';
import { Ramp } from './ramp.js';

/** Of rate and concurrency, at the start. */
const firstShare = 0.1;
/** Nothing was sent for so long, or for as long as the warm-up takes if that is more: it is as good as new. */
const longSilenceMs = 60_000;

@Injectable()
export class WarmUpPolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new WarmUpGate(this.clock, scope);
  }
}

class WarmUpGate extends Gate {
  private settings: GateSettings;
  /** Clock.elapsedMs(); an attempt that did not take place after all is not one. */
  private lastSentMs = Number.NEGATIVE_INFINITY;
  private sentBeforeMs = Number.NEGATIVE_INFINITY;
  private startMs = 0;
  private inFlight = 0;
  private ramp: Ramp | null = null;
  private readonly entry: { readonly pass: Pass };

  constructor(
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.settings = scope;
    const end = () => {
      this.inFlight -= 1;
      scope.wake();
    };
    const cancel = () => {
      this.inFlight -= 1;
      this.lastSentMs = this.sentBeforeMs;
      this.ramp?.giveBack();
    };
    this.entry = { pass: { settle: end, cancel } };
  }

  override enter(_candidate: Candidate): Entry {
    const { warmupMs } = this.settings.subscription;
    if (warmupMs === 0) return free;
    const nowMs = this.clock.elapsedMs();
    if (nowMs - this.lastSentMs > Math.max(longSilenceMs, warmupMs)) this.begin(nowMs, warmupMs);
    if (this.ramp?.isOver(nowMs) === true) this.ramp = null;
    const entry = this.ramp === null ? this.entry : this.enterRamp(this.ramp, nowMs);
    if ('pass' in entry) {
      this.sentBeforeMs = this.lastSentMs;
      this.lastSentMs = nowMs;
      this.inFlight += 1;
    }
    return entry;
  }

  override isAtRest(): boolean {
    return this.inFlight === 0 && (this.ramp?.isOver(this.clock.elapsedMs()) ?? true);
  }

  override adjust(settings: GateSettings): void {
    this.settings = settings;
    if (settings.subscription.warmupMs > 0) return;
    this.ramp = null;
    this.scope.wake();
  }

  override state(): GateState | null {
    const { ramp, startMs } = this;
    const nowMs = this.clock.elapsedMs();
    if (ramp === null || nowMs >= ramp.endMs) return null;
    return {
      state: 'warming up',
      reason: 'new, or back after a long silence',
      sinceMs: startMs,
      nextChangeMs: ramp.endMs,
      growth: { perSecond: ramp.rateAt(nowMs), fullPerSecond: lowestRate(this.settings).perSecond },
    };
  }

  private begin(nowMs: number, periodMs: number): void {
    const { perSecond, burst } = lowestRate(this.settings);
    this.startMs = nowMs;
    this.ramp = new Ramp({ from: perSecond * firstShare, to: perSecond, burst, periodMs }, nowMs, 1);
  }

  private enterRamp(ramp: Ramp, nowMs: number): Entry {
    const { subscription, destination } = this.settings;
    const all = Math.min(subscription.concurrency.max, destination?.concurrency?.max ?? Number.POSITIVE_INFINITY);
    const limit = Math.max(1, Math.floor((all * ramp.rateAt(nowMs)) / lowestRate(this.settings).perSecond));
    if (this.inFlight >= limit) {
      // Time alone makes room as well.
      const untilMs = ramp.timeAt(((limit + 1) * lowestRate(this.settings).perSecond) / all);
      // At the end of the ramp only those in flight can.
      return {
        hold: {
          reason: 'warm-up',
          untilMs: untilMs > nowMs ? untilMs : null,
          detail: `${this.inFlight} of ${limit} in flight for now`,
        },
      };
    }
    const waitMs = ramp.take(nowMs);
    if (waitMs === 0) return this.entry;
    const detail = `${ramp.rateAt(nowMs).toFixed(1)} a second, growing`;
    return { hold: { reason: 'warm-up', untilMs: nowMs + waitMs, detail } };
  }
}
