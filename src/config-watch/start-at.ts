// From where on a group reads that was never served, as a user writes it.
import type { StartAt } from './settings.js';

const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** An offset is one for all partitions. Null for what says no place. */
export function startOf(value: unknown): StartAt | null {
  if (value === 'earliest' || value === 'latest') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? { offsets: [String(value)] } : null;
  if (typeof value !== 'string' || !time.test(value)) return null;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? null : { timeMs };
}
