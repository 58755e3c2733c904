// Appends a message however long it takes, as long as its partition is ours.
import type { Broker } from '../broker/broker.js';
import { type Clock, pause } from '../message/clock.js';
import type { Message, Position } from '../message/message.js';

/** Between attempts while the broker refuses. */
const retryMs = 1000;

/** Resolves to the place once it is durable, to null when `signal` aborts before. `failed` is told of each refusal. */
export async function appendPersistently(
  { broker, clock }: { readonly broker: Broker; readonly clock: Clock },
  message: Message,
  signal: AbortSignal,
  failed: (error: unknown) => void,
): Promise<Position | null> {
  while (!signal.aborted) {
    try {
      const [position] = await broker.append([message], -1);
      return position ?? null;
    } catch (error) {
      failed(error);
      await pause(clock, retryMs, signal);
    }
  }
  return null;
}
