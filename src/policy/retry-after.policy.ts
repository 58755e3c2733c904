// A receiver that asks to be left alone is left alone, with all its messages; then the rate grows back.
import { Injectable } from '@nestjs/common';
import { Clock } from '../message/clock.js';
import type { Outcome } from '../message/outcome.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  Gate,
  type GateScope,
  type GateSettings,
  type GateState,
  ignore,
  lowestRate,
  type Pass,
} from './policy.js';
import { Ramp } from './ramp.js';

/** Attempts a second that a ramp begins with. */
const firstPerSecond = 1;
/** Without a circuit breaker's recoverPeriod the rate grows back over the time that was asked for, within these bounds. */
const shortestRampMs = 1000;
const longestRampMs = 30_000;

@Injectable()
export class RetryAfterPolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new RetryAfterGate(this.clock, scope);
  }
}

class RetryAfterGate extends Gate {
  /** Clock.elapsedMs(); nothing goes before it. */
  private untilMs = 0;
  private askedAtMs = 0;
  private ramp: Ramp | null = null;
  private settings: GateSettings;
  /** Asked of every attempt, since any answer may ask for a pause. */
  private readonly listening: { readonly pass: Pass };
  private readonly ramped: { readonly pass: Pass };

  constructor(
    private readonly clock: Clock,
    scope: GateScope,
  ) {
    super();
    this.settings = scope;
    const settle = (outcome: Outcome) => this.learn(outcome);
    this.listening = { pass: { settle, cancel: ignore } };
    this.ramped = { pass: { settle, cancel: () => this.ramp?.giveBack() } };
  }

  override enter(_candidate: Candidate): Entry {
    const { ramp, untilMs } = this;
    if (ramp === null) return this.listening;
    const nowMs = this.clock.elapsedMs();
    if (nowMs < untilMs) {
      return { hold: { reason: 'retry-after', untilMs, detail: 'the receiver asked to be left alone' } };
    }
    if (ramp.isOver(nowMs)) {
      this.ramp = null;
      return this.listening;
    }
    const waitMs = ramp.take(nowMs);
    if (waitMs === 0) return this.ramped;
    const detail = `${ramp.rateAt(nowMs).toFixed(1)} a second, growing after a Retry-After`;
    return { hold: { reason: 'retry-after', untilMs: nowMs + waitMs, detail } };
  }

  override isAtRest(): boolean {
    return this.ramp?.isOver(this.clock.elapsedMs()) ?? true;
  }

  override adjust(settings: GateSettings): void {
    this.settings = settings;
  }

  override state(): GateState | null {
    const nowMs = this.clock.elapsedMs();
    const { ramp, untilMs, askedAtMs } = this;
    if (ramp === null || nowMs >= ramp.endMs) return null;
    const reason = 'the receiver sent Retry-After';
    return nowMs < untilMs
      ? { state: 'held', reason, sinceMs: askedAtMs, nextChangeMs: untilMs }
      : {
          state: 'growing',
          reason,
          sinceMs: untilMs,
          nextChangeMs: ramp.endMs,
          growth: { perSecond: ramp.rateAt(nowMs), fullPerSecond: lowestRate(this.settings).perSecond },
        };
  }

  private learn(outcome: Outcome): void {
    if (outcome.kind === 'delivered' || outcome.kind === 'aborted' || outcome.retryAfterMs === null) return;
    const { subscription } = this.settings;
    const pauseMs = Math.min(outcome.retryAfterMs, subscription.retryAfterMaxMs);
    const nowMs = this.clock.elapsedMs();
    if (pauseMs <= 0 || nowMs + pauseMs <= this.untilMs) return;
    this.askedAtMs = nowMs;
    this.untilMs = nowMs + pauseMs;
    const { perSecond, burst } = lowestRate(this.settings);
    const periodMs =
      subscription.circuit?.recoverPeriodMs ?? Math.min(longestRampMs, Math.max(shortestRampMs, pauseMs));
    this.ramp = new Ramp({ from: firstPerSecond, to: perSecond, burst, periodMs }, this.untilMs, 1);
  }
}
