// The errors that cross folders. Foreign errors become these in the driver; a door turns these into its protocol.

/** Every code that one part of bigpipe may answer another with. */
export const errorCodes = [
  /** More is waiting than may wait: come back later. */
  'overloaded',
  /** The disk, or the bound set for it, is full. */
  'storage-full',
  /** A write failed for another reason; it may succeed later. */
  'storage-failed',
  /** The store stopped for good after a failed sync; only a restart, and a look at the disk, helps. */
  'storage-stopped',
  /** What is on disk cannot be read as what it should be. */
  'storage-damaged',
  /** Another process holds the data directory. */
  'storage-locked',
  /** The part asked is closing or closed. */
  'closed',
  'unknown-topic',
  'unknown-partition',
  'message-too-large',
  /** The member no longer owns the partition. */
  'fenced',
  /** What several nodes share cannot be reached now. */
  'unavailable',
  /** What nobody expected: a fault of bigpipe's own. */
  'internal',
  /** Another call with the same idempotency key is being stored. */
  'idempotency-in-progress',
  /** The idempotency key belongs to a call that asked for something else. */
  'idempotency-mismatch',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

const retriableCodes: ReadonlySet<ErrorCode> = new Set([
  'overloaded',
  'storage-full',
  'storage-failed',
  'closed',
  'unavailable',
  'idempotency-in-progress',
]);

export class BigpipeError extends Error {
  override readonly name = 'BigpipeError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** True when the same request may succeed later. */
  get retriable(): boolean {
    return retriableCodes.has(this.code);
  }
}

/** The text of anything that was thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
