// Moments and durations as gRPC carries them.
import type { DurationForm, TimestampForm } from './protos.js';

export function timestampOf(ms: number): TimestampForm {
  return { seconds: `${Math.floor(ms / 1000)}`, nanos: Math.floor(ms % 1000) * 1_000_000 };
}

export function millisecondsOf({ seconds = '0', nanos = 0 }: DurationForm): number {
  return Number(seconds) * 1000 + Math.ceil(nanos / 1e6);
}
