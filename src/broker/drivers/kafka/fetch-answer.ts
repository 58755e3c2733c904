// The answer to a fetch request, versions 4 to 11: a few numbers of each partition, and its batches of records.
import type { FetchAnswer, FetchedPartition } from './kafka-requests.js';
import { readBatches } from './record-batches.js';

/** Of Kafka 0.11, the first that has headers. */
const firstVersion = 4;
/** From these versions on there is more in it. */
const withLogStart = 5;
const withSession = 7;
const withOwnThrottle = 8;
const withPreferredReplica = 11;

/** Reads what stands in front; throws RangeError behind the end. */
class Head {
  at = 0;

  constructor(readonly bytes: Buffer) {}

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  int64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }

  text(): string {
    const length = this.int16();
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  /** A part that says itself how long it is; nothing for -1. */
  part(): Buffer {
    const length = Math.max(0, this.int32());
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  async list<T>(read: () => T | Promise<T>): Promise<T[]> {
    const items: T[] = [];
    for (let left = this.int32(); left > 0; left -= 1) items.push(await read());
    return items;
  }
}

export async function fetchAnswerOf(raw: Buffer, version: number): Promise<FetchAnswer> {
  if (version < firstVersion) throw new Error('Kafka is older than 0.11');
  const head = new Head(raw);
  const throttleMs = head.int32();
  // An error of all and a session's number; errors of partitions are said there.
  if (version >= withSession) head.at += 6;
  const responses = await head.list(async () => ({
    topicName: head.text(),
    partitions: await head.list(() => partitionOf(head, version)),
  }));
  // kafkajs then waits so long itself; older ones waited in Kafka.
  return { clientSideThrottleTime: version >= withOwnThrottle ? throttleMs : 0, responses };
}

async function partitionOf(head: Head, version: number): Promise<FetchedPartition> {
  const partition = head.int32();
  const errorCode = head.int16();
  const highWatermark = head.int64();
  const lastStableOffset = head.int64();
  if (version >= withLogStart) head.int64();
  const aborted = await head.list(() => ({ producerId: head.int64(), firstOffset: head.int64() }));
  if (version >= withPreferredReplica) head.int32();
  const read = await readBatches(head.part());
  return { partition, errorCode, highWatermark, lastStableOffset, aborted, ...read };
}
