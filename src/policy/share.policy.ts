// What one destination may take of its subscription's concurrency, so that others find room.
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
  type Pass,
} from './policy.js';

/** For one that has answered before, more timeouts in a row than these are no accident any more. */
const tolerated = 2;
/** The pause after a probe that timed out, in times of how long that took; doubled with each one up to the most. */
const mostPauses = 16;
/** No pause is longer than this, or than one timeout if that is more. */
const longestPauseMs = 60_000;

@Injectable()
export class SharePolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new ShareGate(this.clock, scope);
  }
}

/**
 * Alone, a destination may use all; beside others, half. One that only times out is halved with each timeout down to
 * a probe (from the third in a row on, or the first if it has never answered), and grows by one with each answer. While others are there, a probe that timed out is followed by
 * a pause: as long as it took, and twice as long with each further one, so that silence costs next to nothing.
 */
class ShareGate extends Gate {
  private inFlight = 0;
  private timeoutsInARow = 0;
  private hasAnswered = false;
  /** The bound that timeouts have left; infinite while there is none. */
  private shrunk = Number.POSITIVE_INFINITY;
  private probeFromMs = 0;
  private pauses = 1;
  private settings: GateSettings;
  private readonly entry: { readonly pass: Pass };

  constructor(
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.settings = scope;
    this.entry = {
      pass: {
        settle: (outcome) => {
          this.learn(outcome);
          this.inFlight -= 1;
          scope.wake();
        },
        cancel: () => {
          this.inFlight -= 1;
        },
      },
    };
  }

  override enter(_candidate: Candidate): Entry {
    const { max } = this.settings.subscription.concurrency;
    const hasPeers = this.scope.hasPeers();
    const share = hasPeers ? Math.ceil(max / 2) : max;
    const limit = Math.min(share, this.shrunk);
    if (this.inFlight >= limit) {
      const why = this.shrunk < share ? 'it only times out' : hasPeers ? 'its share beside others' : 'all there are';
      const detail = `${this.inFlight} of ${limit} in flight, ${why}`;
      return { hold: { reason: 'concurrency', untilMs: null, detail } };
    }
    if (hasPeers && this.shrunk === 1 && this.clock.elapsedMs() < this.probeFromMs) {
      const detail = 'it only times out, one probe at a time with pauses';
      return { hold: { reason: 'concurrency', untilMs: this.probeFromMs, detail } };
    }
    this.inFlight += 1;
    return this.entry;
  }

  override isAtRest(): boolean {
    return this.inFlight === 0 && this.shrunk === Number.POSITIVE_INFINITY;
  }

  override adjust(settings: GateSettings): void {
    this.settings = settings;
    this.scope.wake();
  }

  private learn(outcome: Outcome): void {
    if (outcome.kind === 'aborted') return;
    if (outcome.kind === 'retry' && outcome.reason !== 'status') {
      if (outcome.reason === 'timeout') this.shrink(outcome.durationMs);
      return;
    }
    this.hasAnswered = true;
    this.timeoutsInARow = 0;
    this.probeFromMs = 0;
    this.pauses = 1;
    this.shrunk += 1;
    if (this.shrunk >= this.settings.subscription.concurrency.max) this.shrunk = Number.POSITIVE_INFINITY;
  }

  private shrink(durationMs: number): void {
    this.timeoutsInARow += 1;
    if (this.hasAnswered && this.timeoutsInARow <= tolerated) return;
    // What it holds, the one that has just ended included: a bound above that would bind nobody.
    this.shrunk = Math.max(1, Math.floor(Math.min(this.shrunk, this.inFlight) / 2));
    const pauseMs = Math.min(durationMs * this.pauses, Math.max(durationMs, longestPauseMs));
    this.probeFromMs = this.clock.elapsedMs() + pauseMs;
    // Not for each of those that were sent before it shrank.
    if (this.shrunk === 1 && this.inFlight === 1) this.pauses = Math.min(mostPauses, this.pauses * 2);
  }
}
