// Appends a message however long it takes, as long as its partition is ours.
import type { Broker } from '../broker/broker.js';
import { type Clock, pause } from '../message/clock.js';
import type { Message, Position } from '../message/message.js';

/** Between attempts while the broker refuses. */
const retryMs = 1000;

/** Of the partition that it is appended for: PartitionWindow's. */
export interface Ownership {
  /** False while somebody else may own it: then nothing is appended. */
  readonly isOurs: boolean;
  /** Nobody wants it any more. */
  readonly abort: { readonly signal: AbortSignal };
}

/** Resolves to the place once it is durable, to null when it is no longer wanted before. `failed` is told of each refusal; what it throws ends it. */
export async function appendPersistently(
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  message: Message,
  window: Ownership,
  failed: (error: unknown) => void,
): Promise<Position | null> {
  const { signal } = window.abort;
  while (!signal.aborted) {
    try {
      const [position] = await broker.append([message], -1, () => window.isOurs);
      return position ?? null;
    } catch (error) {
      failed(error);
      await pause(clock, retryMs, signal);
    }
  }
  return null;
}
