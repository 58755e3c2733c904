// The newest messages of one partition, kept in memory so that caught-up groups never read the disk.
import { type StoredMessage, weightOf } from '../../../message/message.js';

/** Bounded by weight: the oldest messages leave first, and are then read from the disk. */
export class Tail {
  private messages: (StoredMessage | undefined)[] = [];
  /** Index of the oldest message still kept; what stands before it has left. */
  private head = 0;
  private weight = 0;

  /** `maxBytes` is asked at each push, because all tails share one bound. */
  constructor(private readonly maxBytes: () => number) {}

  /** The messages must follow the last ones without a gap. */
  push(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      this.messages.push(message);
      this.weight += weightOf(message);
    }
    const maxBytes = this.maxBytes();
    while (this.weight > maxBytes && this.head < this.messages.length) {
      this.weight -= weightOf(this.messages[this.head] as StoredMessage);
      // Its memory goes now, not when the rest is moved down.
      this.messages[this.head] = undefined;
      this.head += 1;
    }
    // Moving the rest down is paid once for as many pushes as it saves.
    if (this.head > 1024 && this.head * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.head);
      this.head = 0;
    }
  }

  /** Nobody reads here: nothing is kept. */
  clear(): void {
    this.messages = [];
    this.head = 0;
    this.weight = 0;
  }

  /** From `offset` on, or null when the tail does not hold it. Never empty. */
  read(offset: bigint, maxMessages: number, maxBytes: number): readonly StoredMessage[] | null {
    const oldest = this.messages[this.head];
    if (oldest === undefined || offset < oldest.offset) return null;
    const from = this.head + Number(offset - oldest.offset);
    if (from >= this.messages.length) return null;
    let to = from;
    let bytes = 0;
    while (to < this.messages.length && to - from < maxMessages && (to === from || bytes < maxBytes)) {
      bytes += (this.messages[to] as StoredMessage).body.length;
      to += 1;
    }
    return this.messages.slice(from, to) as StoredMessage[];
  }
}
