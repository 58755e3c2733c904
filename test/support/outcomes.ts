// One outcome of each kind, for tests that are about what comes of them.
import fc from 'fast-check';
import type { Outcome, RetryReason } from '#src/message/outcome.js';
import { delivered, failed, rejected } from './scripted-target.js';

type Retry = Extract<Outcome, { kind: 'retry' }>;

const retryOf = (reason: RetryReason, changes: Partial<Retry> = {}): Retry => ({
  kind: 'retry',
  reason,
  detail: reason,
  retryAfterMs: null,
  status: 0,
  durationMs: 1000,
  body: '',
  ...changes,
});

export const aborted: Outcome = { kind: 'aborted' };
export const timedOut = retryOf('timeout');
export const refused = retryOf('connection', { durationMs: 1 });
export const busy = (status: 429 | 503, retryAfterMs: number | null = null) =>
  retryOf('status', { status, retryAfterMs, durationMs: 1 });

export const anOutcome: fc.Arbitrary<Outcome> = fc.constantFrom<Outcome>(
  delivered,
  delivered,
  failed,
  rejected,
  timedOut,
  timedOut,
  refused,
  busy(429, 2000),
  busy(503),
  aborted,
);
