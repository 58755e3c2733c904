// Fetches for all partitions of one member: one request a node at a time, of those partitions that have room.
import { type Clock, pause } from '../../../message/clock.js';
import { textOf } from '../../../message/errors.js';
import type { TopicPartition } from '../../broker.js';
import { fetch } from './fetch.js';
import { readCommitted, readFetched } from './fetched.js';
import { typeOf } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';
import type { FetchedPartition } from './kafka-requests.js';
import type { PartitionReader } from './partition-reader.js';

const maxBytesPerPartition = 1_048_576;
const maxBytesPerFetch = 8_388_608;
/** While a partition has no room, the others' fetch ends so soon, for it may have some in a moment; each time twice as late while nothing comes. */
const shortestWaitMs = 5;
const firstRetryMs = 50;
const longestRetryMs = 1000;
/** Of reads of a damaged batch, one in so many is reported: once a minute. */
const readsBetweenReports = 60;

export interface FetchSettings {
  /** How long a node waits at most for something to come. */
  readonly maxWaitMs: number;
  /** What the member may hold of fetched messages, in bytes. */
  readonly maxBufferBytes: number;
}

export interface FetchEvents {
  /** Everything below is readable. */
  end(partition: TopicPartition, end: bigint): void;
  /** Retention took so many before they were read. */
  taken(messages: bigint): void;
  /** A batch is damaged. */
  unreadable(): void;
  report(text: string, error: unknown): void;
}

export class Fetcher {
  private readonly busy = new Set<number>();
  /** Until a node says that nothing has come, while some partition has no room. */
  private waitMs = shortestWaitMs;
  private failures = 0;
  private waiting = false;
  private scheduled = false;
  private closed = false;

  constructor(
    private readonly link: KafkaLink,
    private readonly clock: Clock,
    private readonly settings: FetchSettings,
    private readonly readers: () => Iterable<PartitionReader>,
    private readonly events: FetchEvents,
  ) {}

  close(): void {
    this.closed = true;
  }

  /** Begins what can be begun. What gets hungry in one turn goes together: the first would wait alone for something to come, and the others for it. */
  pump(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.begin();
    });
  }

  private begin(): void {
    if (this.closed) return;
    const wanted = new Map<number, PartitionReader[]>();
    let bytes = 0;
    let isLeaderless = false;
    let isOneFull = false;
    for (const reader of this.readers()) {
      bytes += reader.bytes;
      isOneFull ||= reader.isFull;
      if (!reader.isHungry) continue;
      const leader = this.link.leaderOf(reader.partition.topic, reader.partition.partition);
      if (leader === null) isLeaderless = true;
      else wanted.set(leader, [...(wanted.get(leader) ?? []), reader]);
    }
    const room = this.settings.maxBufferBytes - bytes;
    if (room > 0) {
      for (const [leader, hungry] of wanted)
        if (!this.busy.has(leader)) void this.fetch(leader, hungry, room, isOneFull);
    }
    if (isLeaderless) void this.later();
  }

  /** `isOneFull`: some partition may get room meanwhile, and would wait for this fetch. */
  private async fetch(
    leader: number,
    hungry: readonly PartitionReader[],
    room: number,
    isOneFull: boolean,
  ): Promise<void> {
    this.busy.add(leader);
    for (const reader of hungry) reader.isFetching = true;
    const asked = new Map<string, { reader: PartitionReader; from: bigint }>();
    for (const reader of hungry) asked.set(nameOf(reader.partition), { reader, from: reader.nextOffset });
    let failure: unknown = null;
    try {
      const node = await this.link.node(leader);
      const { responses } = await fetch(node, {
        maxWaitTime: isOneFull ? Math.min(this.waitMs, this.settings.maxWaitMs) : this.settings.maxWaitMs,
        minBytes: 1,
        maxBytes: Math.min(maxBytesPerFetch, room),
        isolationLevel: readCommitted,
        topics: requestOf(asked.values()),
      });
      const isEmpty = responses.every(({ partitions }) => partitions.every(({ batches }) => batches.length === 0));
      this.waitMs = isEmpty ? Math.min(2 * this.waitMs, this.settings.maxWaitMs) : shortestWaitMs;
      for (const { topicName: topic, partitions } of responses) {
        for (const fetched of partitions) {
          const request = asked.get(nameOf({ topic, partition: fetched.partition }));
          if (request !== undefined) this.take(request.reader, request.from, fetched);
        }
      }
      this.failures = 0;
    } catch (error) {
      failure = error;
    } finally {
      for (const reader of hungry) reader.isFetching = false;
    }
    // The others go on meanwhile, and so does what has another leader then.
    if (failure !== null) await this.failed(failure, hungry);
    this.busy.delete(leader);
    this.pump();
  }

  private take(reader: PartitionReader, from: bigint, fetched: FetchedPartition): void {
    this.events.end(reader.partition, fetched.lastStableOffset);
    if (reader.nextOffset !== from) return;
    const { batches, fault } = fetched;
    if (batches.length > 0) {
      const { messages, nextOffset } = readFetched(fetched, reader.partition, from);
      reader.take(messages, nextOffset);
    } else if (fault !== null) void this.cannotRead(reader, fault);
  }

  /** Nothing is passed over: another node may have it whole. The other partitions go on meanwhile. */
  private async cannotRead(reader: PartitionReader, fault: Error): Promise<void> {
    this.events.unreadable();
    if (reader.failedReads % readsBetweenReports === 0) {
      const place = `${nameOf(reader.partition)} at offset ${reader.nextOffset}`;
      this.events.report(`${place} cannot be read, and nothing behind it; tries again each second`, fault);
    }
    reader.failedReads += 1;
    reader.isResting = true;
    await pause(this.clock, longestRetryMs);
    reader.isResting = false;
    this.pump();
  }

  private async failed(error: unknown, hungry: readonly PartitionReader[]): Promise<void> {
    if (this.closed) return;
    this.link.failed(error);
    if (typeOf(error) === 'OFFSET_OUT_OF_RANGE' && (await this.findTheirPlaces(hungry))) return;
    if (this.failures === 0) this.events.report('Kafka cannot be read, tries again', error);
    await this.askForLeaders();
  }

  private async askForLeaders(): Promise<void> {
    await this.link.refresh();
    await pause(this.clock, Math.min(longestRetryMs, firstRetryMs * 2 ** this.failures));
    this.failures += 1;
  }

  private async later(): Promise<void> {
    if (this.waiting) return;
    this.waiting = true;
    await this.askForLeaders();
    this.waiting = false;
    this.pump();
  }

  /** Retention has taken what stood there, or the log is shorter than it was: goes on at the oldest message. */
  private async findTheirPlaces(hungry: readonly PartitionReader[]): Promise<boolean> {
    try {
      for (const reader of hungry) {
        const { topic, partition } = reader.partition;
        const asked = [{ topic, partitions: [partition] }];
        const [oldest] = await this.link.offsets(asked, 'oldest');
        const [end] = await this.link.offsets(asked, 'end');
        if (oldest === undefined || end === undefined) continue;
        const from = reader.nextOffset;
        if (from >= oldest.offset && from <= end.offset) continue;
        const text = `${topic}/${partition}: nothing stands at offset ${from} (there is ${oldest.offset} to ${end.offset}), goes on at the oldest`;
        this.events.report(text, undefined);
        if (oldest.offset > from) this.events.taken(oldest.offset - from);
        reader.skipTo(oldest.offset);
      }
      return true;
    } catch (error) {
      this.events.report(`places in the log could not be found: ${textOf(error)}`, error);
      return false;
    }
  }
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

function requestOf(asked: Iterable<{ reader: PartitionReader; from: bigint }>) {
  const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>();
  for (const { reader, from } of asked) {
    const { topic, partition } = reader.partition;
    const row = { partition, fetchOffset: `${from}`, maxBytes: maxBytesPerPartition };
    topics.set(topic, [...(topics.get(topic) ?? []), row]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
