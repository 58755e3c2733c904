// Tokens of a limit that holds over all nodes: taken from what they share in small batches, ahead of their use.
import { hash } from 'node:crypto';
import type { RateSettings } from '../config-watch/settings.js';
import type { Clock } from '../message/clock.js';
import type { SharedState } from '../shared-state/shared-state.js';

/** So much of a second's tokens a batch is: some twenty questions a second at most, however high the rate. */
const batchSeconds = 0.05;
const largestBatch = 500;
/** Until an empty bucket is asked again. */
const emptyPauseMs = 25;
/** What was not used in this time is given up: the other nodes may have had use for it. */
const staleMs = 1000;

export interface TokenParts {
  readonly state: SharedState;
  readonly clock: Clock;
  /** What all nodes call this limit. */
  readonly name: string;
  readonly rate: () => RateSettings;
  /** Whoever waits may ask again. */
  readonly wake: () => void;
}

export class ClusterTokens {
  private stock = 0;
  private grantedMs = 0;
  private isAsking = false;
  /** Clock.elapsedMs() before which there is none to be had. */
  private againMs = 0;
  private readonly bucket: string;

  constructor(private readonly parts: TokenParts) {
    // A name may be longer than a key.
    this.bucket = `bucket:${hash('sha256', parts.name, 'base64url')}`;
  }

  get isIdle(): boolean {
    return !this.isAsking;
  }

  /** True: one is taken. Else `untilMs` when asking again makes sense, null for once `wake` is called. */
  take(nowMs: number): true | { readonly untilMs: number | null } {
    if (nowMs - this.grantedMs > staleMs) this.stock = 0;
    const isTaken = this.stock >= 1;
    if (isTaken) this.stock -= 1;
    const batch = this.batch;
    if (this.stock <= batch / 2 && nowMs >= this.againMs && (batch > 1 || !isTaken)) this.ask(batch);
    if (isTaken) return true;
    return { untilMs: this.isAsking ? null : this.againMs };
  }

  giveBack(): void {
    this.stock += 1;
  }

  private get batch(): number {
    const { perSecond, burst } = this.parts.rate();
    return Math.max(1, Math.min(Math.ceil(perSecond * batchSeconds), Math.floor(burst), largestBatch));
  }

  /** A bucket that is empty fills for all who ask: each a little later than the others, and before it can be full. */
  private pauseMs({ perSecond, burst }: RateSettings): number {
    const fullMs = (Math.floor(burst) / perSecond) * 1000;
    return Math.min(fullMs / 2, emptyPauseMs * (1 + Math.random()));
  }

  private ask(wanted: number): void {
    if (this.isAsking) return;
    this.isAsking = true;
    const { state, rate, clock, wake } = this.parts;
    const { perSecond, burst } = rate();
    state
      .take(this.bucket, { perSecond, burst }, wanted)
      .then(({ granted, waitMs }) => {
        const nowMs = clock.elapsedMs();
        this.stock += granted;
        if (granted > 0) this.grantedMs = nowMs;
        if (granted < wanted) this.againMs = nowMs + Math.max(waitMs, this.pauseMs(rate()));
      })
      // Whoever asks next sees that it cannot be reached.
      .catch(() => undefined)
      .finally(() => {
        this.isAsking = false;
        wake();
      });
  }
}
