// Reads stored messages back, and goes on behind what is damaged instead of delivering it or stopping at it.
import type { Clock } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { StoredMessage } from '../../../message/message.js';
import type { ReadResult } from '../../partition-log.js';
import { ChunkDamage, decodeChunk } from './chunk.js';
import type { DamagedRange, LogStore } from './log-store.js';

/** A partition as the reader sees it. */
export interface ReadablePartition {
  readonly topicId: number;
  readonly topic: string;
  readonly partition: number;
  /** The oldest offset kept. */
  readonly start: number;
  /** Everything below it is durable. */
  readonly readable: number;
}

/** Known ranges are reported once; groups that read the same place later find them known. */
const maxKnownRanges = 1000;

export class LogReader {
  private readonly known = new Set<string>();

  constructor(
    private readonly store: LogStore,
    private readonly clock: Clock,
    private readonly damaged: (range: DamagedRange) => void,
    private readonly report: (text: string, error: unknown) => void,
  ) {}

  /** From `from` on. May be empty with a `nextOffset` that has moved, where all that was read is damaged. */
  read(partition: ReadablePartition, from: number, maxMessages: number, maxBytes: number): ReadResult {
    const messages: StoredMessage[] = [];
    let offset = from;
    let bytes = 0;
    while (offset < partition.readable && messages.length < maxMessages && bytes < maxBytes) {
      const chunk = this.readChunk(partition, offset);
      for (const message of chunk.messages) {
        if (messages.length === maxMessages) return { messages, nextOffset: message.offset };
        messages.push(message);
        bytes += message.body.length;
      }
      offset = chunk.next;
    }
    return { messages, nextOffset: BigInt(offset) };
  }

  private readChunk(partition: ReadablePartition, offset: number): { messages: StoredMessage[]; next: number } {
    const { topicId, topic, partition: number, readable } = partition;
    let base = offset;
    try {
      const chunk = this.store.read(topicId, number, offset);
      const found = chunk === null ? readable : Math.max(offset, chunk.base);
      if (found > offset) this.note(partition, offset, found - 1, 'is missing');
      if (chunk === null) return { messages: [], next: readable };
      base = chunk.base;
      const messages = decodeChunk(chunk.data, { topic, partition: number, base }, offset);
      return { messages, next: base + chunk.data.readUInt32LE(4) };
    } catch (error) {
      const isDamage = error instanceof BigpipeError ? error.code === 'storage-damaged' : error instanceof ChunkDamage;
      if (!isDamage) throw error;
      // The row's own count may be damaged too; where the next row begins is the only safe end.
      const next = this.store.nextReadable(topicId, number, Math.max(base, offset) + 1, readable);
      this.note(partition, offset, next - 1, textOf(error));
      return { messages: [], next };
    }
  }

  private note({ topicId, topic, partition }: ReadablePartition, first: number, last: number, reason: string): void {
    const name = `${topicId}/${partition}/${first}`;
    if (this.known.has(name) || this.known.size >= maxKnownRanges) return;
    this.known.add(name);
    const range = { topicId, partition, first, last, reason, seenMs: this.clock.now() };
    this.damaged(range);
    const place = `${topic}/${partition} offsets ${first} to ${last}`;
    this.report(`${place} are damaged (${reason}) and are passed over`, undefined);
    this.store.noteDamage(range).catch((error) => this.report('a damaged range could not be noted', error));
  }
}
