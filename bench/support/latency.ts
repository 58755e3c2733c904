// Latencies in a histogram that keeps three digits, and the clock that all processes share.
import { build } from 'hdr-histogram-js';
import type { LatencySummary } from './protocol.ts';

const longestUs = 600_000_000;

/** Monotonic microseconds since the machine started: comparable between processes. */
export const nowUs = () => Number(process.hrtime.bigint() / 1000n);
export const nowMs = () => nowUs() / 1000;

export class Latencies {
  private readonly histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: longestUs,
    numberOfSignificantValueDigits: 3,
  });

  record(us: number): void {
    this.histogram.recordValue(Math.min(longestUs, Math.max(0, Math.round(us))));
  }

  reset(): void {
    this.histogram.reset();
  }

  summary(): LatencySummary {
    const at = (percentile: number) => this.histogram.getValueAtPercentile(percentile) / 1000;
    const { totalCount: count } = this.histogram;
    if (count === 0) return { count, minMs: 0, p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 };
    const minMs = this.histogram.minNonZeroValue / 1000;
    return { count, minMs, p50Ms: at(50), p99Ms: at(99), p999Ms: at(99.9), maxMs: this.histogram.maxValue / 1000 };
  }
}
