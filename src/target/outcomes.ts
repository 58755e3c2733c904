// Outcomes that all targets have: what nothing was sent for, and what goes wrong on the way.
import type { Outcome } from '../message/outcome.js';

/** Nothing was sent, and nothing would be the next time. */
export function refusedByGuard(why: string, durationMs: number): Outcome {
  const detail = `the egress guard refuses ${why}`;
  return { kind: 'rejected', detail, retryAfterMs: null, status: 0, durationMs, body: '' };
}

/** Node reports a refused connection to several addresses as an aggregate without a text of its own. */
export function describe(error: Error): string {
  const code = (error as { code?: unknown }).code;
  const text = error instanceof AggregateError ? error.errors.map((e: Error) => e.message).join('; ') : error.message;
  return typeof code === 'string' && !text.includes(code) ? `${text} (${code})` : text;
}
