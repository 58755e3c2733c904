// The newest messages of one partition, kept in memory so that caught-up groups never read the disk.
import { type StoredMessage, weightOf } from '../../../message/message.js';

/** Whoever is so many messages before the tail is about to catch up; who is further behind reads the disk for long. */
const catchingUp = 1024n;
/** Asking the readers costs as much as there are of them, so it is done once for as many messages, and never for fewer. */
const fewestBetweenLooks = 16;
/** Or for as many bytes a reader, and never for fewer: what stays for long is collected with the old, which takes long. */
const bytesBetweenLooks = 1024;
const fewestBytesBetweenLooks = 16_384;

/** What a tail asks of those around it. */
export interface TailParts {
  /** Asked at each push, because all tails share one bound. */
  readonly maxBytes: () => number;
  readonly readerCount: () => number;
  /** The lowest place among the readers that have come as far as an offset; null: nobody has. */
  readonly lowestPlace: (offset: bigint) => bigint | null;
}

/**
 * Bounded by weight: the oldest messages leave first, and are then read from the disk. What all readers that keep up have
 * been handed leaves as well, and where nobody keeps up nothing is kept.
 */
export class Tail {
  private messages: (StoredMessage | undefined)[] = [];
  /** Index of the oldest message still kept; what stands before it has left. */
  private head = 0;
  private weight = 0;
  private untilLook = 0;
  private bytesUntilLook = 0;
  private isWanted = false;

  constructor(private readonly parts: TailParts) {}

  /** The messages must follow the last ones without a gap. */
  push(messages: readonly StoredMessage[]): void {
    this.untilLook -= messages.length;
    for (const { body } of messages) this.bytesUntilLook -= body.length;
    if (this.untilLook <= 0 || this.bytesUntilLook <= 0) this.look(messages[0]?.offset ?? 0n);
    if (!this.isWanted) return;
    for (const message of messages) {
      this.messages.push(message);
      this.weight += weightOf(message);
    }
    const maxBytes = this.parts.maxBytes();
    while (this.weight > maxBytes && this.head < this.messages.length) this.dropOldest();
    // Moving the rest down is paid once for as many pushes as it saves.
    if (this.head > 1024 && this.head * 2 > this.messages.length) {
      this.messages = this.messages.slice(this.head);
      this.head = 0;
    }
  }

  /** Lets go of what nobody will read here. `next`: the offset that comes next. */
  private look(next: bigint): void {
    const { readerCount, lowestPlace } = this.parts;
    const readers = readerCount();
    this.untilLook = Math.max(fewestBetweenLooks, readers);
    this.bytesUntilLook = Math.max(fewestBytesBetweenLooks, readers * bytesBetweenLooks);
    const needed = lowestPlace((this.messages[this.head]?.offset ?? next) - catchingUp);
    this.isWanted = needed !== null;
    if (needed === null || needed >= next) {
      this.messages = [];
      this.head = 0;
      this.weight = 0;
      return;
    }
    while ((this.messages[this.head]?.offset ?? needed) < needed) this.dropOldest();
  }

  private dropOldest(): void {
    this.weight -= weightOf(this.messages[this.head] as StoredMessage);
    // Its memory goes now, not when the rest is moved down.
    this.messages[this.head] = undefined;
    this.head += 1;
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
