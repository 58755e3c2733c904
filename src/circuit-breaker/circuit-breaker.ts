// The circuit of one destination: closed, open, recovering; pure, time is handed in.
import type { CircuitSettings } from '../config-watch/settings.js';
import { Ramp } from '../policy/ramp.js';
import { HealthWindow } from './health-window.js';

/** Attempts a second that recovering begins with: as many as a probe. */
const probePerSecond = 1;
/** While recovering no more may be unanswered than these, and so many for each answer since the probe: silence is no health. */
const unansweredAtFirst = 10;
const unansweredPerAnswer = 4;

/** What a destination may get when it is well. */
export interface FullRate {
  readonly perSecond: number;
  readonly burst: number;
}

export type CircuitState = 'closed' | 'open' | 'recovering';

/** What an attempt may do now. `stage` is handed back when it has ended. */
export type CircuitAnswer =
  | { readonly kind: 'go'; readonly stage: number }
  | { readonly kind: 'probe'; readonly stage: number }
  /** null: until an attempt that is under way has ended. */
  | { readonly kind: 'wait'; readonly untilMs: number | null };

/**
 * Modes:
 * - closed: all pass. Unhealthy → open.
 * - open: none pass for breakPeriod; then one probe at a time. It went well → recovering; it failed → breakPeriod again.
 * - recovering: the rate grows from a probe's to the full one over recoverPeriod, paced. Unhealthy, by its own
 *   attempts alone → open at once. It waits for answers when too many are missing. Over, and something was answered
 *   if anything was sent → closed.
 *
 * What was sent in an earlier mode says nothing about this one and is not counted. Each mode begins with an empty window.
 */
export class CircuitBreaker {
  private mode: CircuitState = 'closed';
  private why = '';
  private enteredMs: number;
  /** Of the present mode; an attempt of an earlier one has a lower number. */
  private stage = 0;
  private health: HealthWindow;
  private probeFromMs = 0;
  private probing = false;
  /** Of this stage. */
  private sent = 0;
  private ended = 0;
  /** Kept for a while after recovering, until a burst has been saved up again. */
  private ramp: Ramp | null = null;

  constructor(
    private settings: CircuitSettings,
    private full: FullRate,
    nowMs: number,
  ) {
    this.enteredMs = nowMs;
    this.health = new HealthWindow(settings, nowMs);
  }

  get state(): CircuitState {
    return this.mode;
  }

  /** Why it is in this state; empty while it has always been closed. */
  get reason(): string {
    return this.why;
  }

  get sinceMs(): number {
    return this.enteredMs;
  }

  /** When time alone will change something: the next probe, the end of recovering. */
  get nextChangeMs(): number | null {
    if (this.mode === 'open') return this.probing ? null : this.probeFromMs;
    return this.mode === 'recovering' ? (this.ramp?.endMs ?? null) : null;
  }

  /** Attempts a second that are let through now; null for no limit, or none at all while open. */
  rateAt(nowMs: number): number | null {
    return this.mode === 'recovering' ? (this.ramp?.rateAt(nowMs) ?? null) : null;
  }

  /** Attempts a second at the end of recovering. */
  get fullPerSecond(): number {
    return this.full.perSecond;
  }

  /** Of the full rate, what is let through now: 0 to 1. */
  shareAt(nowMs: number): number {
    if (this.mode === 'open') return 0;
    const perSecond = this.rateAt(nowMs);
    return perSecond === null ? 1 : Math.min(1, perSecond / this.full.perSecond);
  }

  enter(nowMs: number): CircuitAnswer {
    this.advance(nowMs);
    if (this.mode === 'open') return this.enterOpen(nowMs);
    if (this.ramp === null) return { kind: 'go', stage: this.stage };
    if (this.mode === 'closed' && this.ramp.isOver(nowMs)) {
      this.ramp = null;
      return { kind: 'go', stage: this.stage };
    }
    if (this.mode === 'recovering' && this.sent - this.ended >= unansweredAtFirst + unansweredPerAnswer * this.ended) {
      return { kind: 'wait', untilMs: null };
    }
    const waitMs = this.ramp.take(nowMs);
    if (waitMs > 0) return { kind: 'wait', untilMs: nowMs + waitMs };
    this.sent += 1;
    return { kind: 'go', stage: this.stage };
  }

  /** It stays in its state; what was counted under other bounds of health is counted anew, and a ramp goes on to its end as it began. */
  adjust(settings: CircuitSettings, full: FullRate, nowMs: number): void {
    const { windowSeconds, minStats, healthRate } = settings;
    const [before, fullBefore] = [this.settings, this.full];
    this.settings = settings;
    this.full = full;
    const isSameHealth =
      windowSeconds === before.windowSeconds && minStats === before.minStats && healthRate === before.healthRate;
    if (!isSameHealth) this.health = new HealthWindow(settings, nowMs);
    // A shorter break also ends the one that has begun.
    if (this.mode === 'open' && !this.probing)
      this.probeFromMs = Math.min(this.probeFromMs, nowMs + settings.breakPeriodMs);
    // A later full rate must not be held down by what lingers of an earlier one.
    if (this.mode === 'closed' && full.perSecond !== fullBefore.perSecond) this.ramp = null;
  }

  /** True when a new circuit would let through the same. */
  isAtRest(nowMs: number): boolean {
    return this.mode === 'closed' && (this.ramp?.isOver(nowMs) ?? true);
  }

  /** An attempt that was sent ended without telling anything. */
  abandon(stage: number): void {
    if (stage !== this.stage) return;
    if (this.mode === 'open') this.probing = false;
    else this.ended += 1;
  }

  /** An attempt that was let through does not take place. */
  cancel(stage: number): void {
    if (stage !== this.stage) return;
    if (this.mode === 'open') this.probing = false;
    else if (this.ramp !== null) {
      this.ramp.giveBack();
      this.sent -= 1;
    }
  }

  settle(stage: number, healthy: boolean, nowMs: number): void {
    if (stage !== this.stage) return;
    if (this.mode === 'open') {
      this.settleProbe(healthy, nowMs);
      return;
    }
    this.ended += 1;
    this.health.record(healthy, nowMs);
    this.advance(nowMs);
  }

  /** What time alone changes. */
  advance(nowMs: number): void {
    if (this.mode === 'open') return;
    const fault = this.mode === 'closed' ? this.health.fault(nowMs) : this.health.faultOnProbation(nowMs);
    if (fault !== null) {
      this.open(fault, nowMs);
      return;
    }
    const endMs = this.ramp?.endMs ?? 0;
    // The window goes on: what it saw while recovering counts.
    const isAnswered = this.ended > 0 || this.sent === 0;
    if (this.mode === 'recovering' && nowMs >= endMs && isAnswered) this.change('closed', 'recovered', endMs);
  }

  private enterOpen(nowMs: number): CircuitAnswer {
    if (this.probing) return { kind: 'wait', untilMs: null };
    if (nowMs < this.probeFromMs) return { kind: 'wait', untilMs: this.probeFromMs };
    this.probing = true;
    return { kind: 'probe', stage: this.stage };
  }

  private settleProbe(healthy: boolean, nowMs: number): void {
    this.probing = false;
    if (!healthy) {
      this.probeFromMs = nowMs + this.settings.breakPeriodMs;
      return;
    }
    this.enterStage('recovering', 'a probe went well', nowMs);
    const { perSecond, burst } = this.full;
    const periodMs = this.settings.recoverPeriodMs;
    this.ramp = new Ramp({ from: probePerSecond, to: perSecond, burst, periodMs }, nowMs, 0);
  }

  private open(fault: string, nowMs: number): void {
    this.enterStage('open', fault, nowMs);
    this.ramp = null;
    this.probing = false;
    this.probeFromMs = nowMs + this.settings.breakPeriodMs;
  }

  /** Attempts from before do not count any more. */
  private enterStage(mode: CircuitState, why: string, nowMs: number): void {
    this.change(mode, why, nowMs);
    this.stage += 1;
    this.sent = 0;
    this.ended = 0;
    this.health = new HealthWindow(this.settings, nowMs);
  }

  private change(mode: CircuitState, why: string, nowMs: number): void {
    this.mode = mode;
    this.why = why;
    this.enteredMs = nowMs;
  }
}
