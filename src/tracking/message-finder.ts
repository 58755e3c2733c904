// Finds a message in the log by its id, without an index: ids of ours begin with their time, and so do the messages.
import { setImmediate } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Broker, type TopicPartition } from '../broker/broker.js';
import { messageHeader, type StoredMessage } from '../message/message.js';
import { timeOfMessageId } from '../message/message-id.js';

/** A call may wait so long before it is stored, and clocks of several machines may differ by as much the other way. */
const storedWithinMs = 60_000;
const clockSkewMs = 5000;
/** Most are stored within moments of their id's making, by the same machine. */
const soonMs = 2000;
/** Messages that are looked at in a partition: those around the id's time, or the newest ones for an id without a time. */
const maxLookedAt = 50_000;
/** Narrower than this the search by time goes on message by message. */
const narrowEnough = 512n;

export interface FoundMessages {
  readonly messages: readonly StoredMessage[];
  /** False when more might be found elsewhere: the id has no time in it, or too many messages have it. */
  readonly isWhole: boolean;
}

@Injectable()
export class MessageFinder {
  constructor(private readonly broker: Broker) {}

  /** Reads the log: some twenty batches a partition to find the time, then what was stored around it. */
  async find(id: string, topics: readonly string[]): Promise<FoundMessages> {
    const madeAtMs = timeOfMessageId(id);
    const messages: StoredMessage[] = [];
    let isWhole = madeAtMs !== null;
    for (const topic of topics) {
      for (const { partition, highWatermark } of this.broker.lag('bigpipe.tracking', topic)) {
        const at = { topic, partition };
        const from =
          madeAtMs === null ? newest(highWatermark) : await this.offsetAt(at, highWatermark, madeAtMs - clockSkewMs);
        const untilMs = madeAtMs === null ? Number.POSITIVE_INFINITY : madeAtMs + storedWithinMs;
        const found = await this.scan(at, id, from, untilMs);
        messages.push(...found.messages);
        isWhole &&= found.isWhole;
      }
    }
    return { messages, isWhole };
  }

  /**
   * One message with this id of which `isIt` says so; null for none. Looks first where nearly all of them stand: a fraction
   * of what `find` reads.
   */
  async findOne(
    id: string,
    topics: readonly string[],
    isIt: (found: StoredMessage) => boolean,
  ): Promise<StoredMessage | null> {
    const madeAtMs = timeOfMessageId(id);
    for (const topic of madeAtMs === null ? [] : topics) {
      for (const { partition, highWatermark } of this.broker.lag('bigpipe.tracking', topic)) {
        const at = { topic, partition };
        const from = await this.offsetAt(at, highWatermark, madeAtMs as number);
        const { messages } = await this.scan(at, id, from, (madeAtMs as number) + soonMs);
        const found = messages.findLast(isIt);
        if (found !== undefined) return found;
      }
    }
    return (await this.find(id, topics)).messages.findLast(isIt) ?? null;
  }

  /** The offset of the first message that was stored at `unixMs` or later, or the end. */
  async firstStoredFrom(partition: TopicPartition, end: bigint, unixMs: number): Promise<bigint> {
    for (let offset = await this.offsetAt(partition, end, unixMs); offset < end; ) {
      const { messages, nextOffset } = await this.broker.fetch(partition, offset);
      const first = messages.find(({ timestampMs }) => timestampMs >= unixMs);
      if (first !== undefined) return first.offset;
      if (nextOffset <= offset) return end;
      offset = nextOffset;
    }
    return end;
  }

  /** An offset at or before the first message that was stored at `unixMs` or later. */
  private async offsetAt(partition: TopicPartition, end: bigint, unixMs: number): Promise<bigint> {
    let low = (await this.broker.fetch(partition, 0n)).messages[0]?.offset ?? end;
    let high = end;
    while (high - low > narrowEnough) {
      const middle = low + (high - low) / 2n;
      const [first] = (await this.broker.fetch(partition, middle)).messages;
      // Nothing can be read there: what comes later cannot tell the time either.
      if (first === undefined || first.timestampMs >= unixMs) high = middle;
      else low = middle;
    }
    return low;
  }

  private async scan(partition: TopicPartition, id: string, from: bigint, untilMs: number): Promise<FoundMessages> {
    const found: StoredMessage[] = [];
    let lookedAt = 0;
    for (let offset = from; lookedAt < maxLookedAt; ) {
      const { messages, nextOffset } = await this.broker.fetch(partition, offset);
      found.push(...messages.filter(({ headers }) => headers[messageHeader.id] === id));
      const last = messages.at(-1);
      if (nextOffset <= offset || (last !== undefined && last.timestampMs > untilMs)) {
        return { messages: found, isWhole: true };
      }
      lookedAt += messages.length;
      offset = nextOffset;
      // Others have their turn between two batches.
      await setImmediate();
    }
    return { messages: found, isWhole: false };
  }
}

function newest(end: bigint): bigint {
  const count = BigInt(maxLookedAt);
  return end > count ? end - count : 0n;
}
