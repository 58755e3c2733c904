// How healthy a receiver was over the last seconds; pure.
import type { CircuitSettings } from '../config-watch/settings.js';
import { SecondCounts } from '../policy/second-counts.js';

/** While there are fewer samples than `minStats`, so many failures in a row are enough. */
const failuresInARow = 5;

/** A longer window has longer buckets, so that a destination costs the same. */
const maxBuckets = 60;

export type HealthSettings = Pick<CircuitSettings, 'windowSeconds' | 'minStats' | 'healthRate'>;

/** Successes and failures in buckets of a second, or a 60th of the window if that is more; less than `minStats` of them say nothing about a rate. */
export class HealthWindow {
  private readonly counts: SecondCounts;
  /** Seconds of a bucket. */
  private readonly scale: number;
  private failedInARow = 0;

  constructor(
    private readonly settings: HealthSettings,
    nowMs: number,
  ) {
    this.scale = Math.max(1, settings.windowSeconds / maxBuckets);
    this.counts = new SecondCounts(Math.min(maxBuckets, settings.windowSeconds), nowMs / this.scale);
  }

  record(healthy: boolean, nowMs: number): void {
    this.counts.add(healthy ? 1 : 0, healthy ? 0 : 1, nowMs / this.scale);
    this.failedInARow = healthy ? 0 : this.failedInARow + 1;
  }

  /** Null for healthy, or for not enough known; else what is wrong, in words. */
  fault(nowMs: number): string | null {
    const { windowSeconds, minStats, healthRate } = this.settings;
    const [successes, failures] = this.counts.totals(nowMs / this.scale);
    const total = successes + failures;
    if (total < minStats || successes / total >= healthRate) return null;
    return `${successes} of ${total} attempts of the last ${windowSeconds} s went well, less than ${healthRate}`;
  }

  /** For a receiver that is only just recovering: a few failures on end are enough as well. */
  faultOnProbation(nowMs: number): string | null {
    const fault = this.fault(nowMs);
    if (fault !== null || this.failedInARow < Math.min(failuresInARow, this.settings.minStats)) return fault;
    return `${this.failedInARow} attempts in a row failed while recovering`;
  }
}
