// What is known of messages that wait in delay topics, for whoever asks why they wait: the latest ones, in memory.
import { maxAttemptsOf } from '../../message/delivery.js';
import { messageHeader } from '../../message/message.js';
import type { Work } from '../window/partition-window.js';

/** More are not remembered, and neither are those of an earlier process; they wait all the same. */
const maxNotes = 10_000;

export interface DelayedNote {
  readonly id: string;
  readonly aclName: string | undefined;
  readonly partition: number;
  readonly offset: bigint;
  readonly destination: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly redelivery: string;
  /** Unix milliseconds. */
  readonly dueMs: number;
}

export class DelayedNotes {
  private readonly notes = new Map<string, DelayedNote>();

  add({ delivery }: Work): void {
    const { id, origin, source, destination, attempt, redelivery, notBeforeMs } = delivery;
    const { partition, offset } = origin;
    const name = nameOf(partition, offset);
    this.notes.delete(name);
    this.notes.set(name, {
      id,
      aclName: source.headers[messageHeader.acl],
      partition,
      offset,
      destination,
      attempt,
      maxAttempts: maxAttemptsOf(delivery),
      redelivery: redelivery ?? '',
      dueMs: notBeforeMs,
    });
    if (this.notes.size <= maxNotes) return;
    const [oldest] = this.notes.keys();
    if (oldest !== undefined) this.notes.delete(oldest);
  }

  /** It has been read back. */
  delete(partition: number, offset: bigint): void {
    this.notes.delete(nameOf(partition, offset));
  }

  at(partition: number, offset: bigint): DelayedNote | undefined {
    return this.notes.get(nameOf(partition, offset));
  }

  withId(id: string): DelayedNote[] {
    return [...this.notes.values()].filter((note) => note.id === id);
  }
}

const nameOf = (partition: number, offset: bigint) => `${partition}/${offset}`;
