// The dead letters of one subscription as an operator handles them: listed, read, purged, or taken out to be sent again.
import type { Broker, Membership, TopicPartition } from '../../broker/broker.js';
import { BigpipeError } from '../../message/errors.js';
import type { StoredMessage } from '../../message/message.js';
import { deadLetterTopic } from '../../message/side-topic.js';
import { SettledRanges } from './settled-ranges.js';

/** Of each partition: offsets from `from` on, up to and without `to`; null for no bound. */
export interface LetterRange {
  readonly partition: number | null;
  readonly from: bigint;
  readonly to: bigint | null;
}

export interface LetterCount {
  readonly partition: number;
  readonly open: bigint;
  readonly end: bigint;
}

/**
 * What was purged or sent again is settled for a group of the box's own, so that it does not come again and its room is
 * freed. One member, kept for as long as the subscription is open.
 */
export class DeadLetterBox {
  readonly topic: string;
  private readonly ownGroup: string;
  private readonly viewGroup: string;
  private readonly settled = new Map<number, SettledRanges>();
  private membership: Membership | null = null;
  /** Readers come one after another: two would share the partitions. */
  private reading: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly broker: Broker,
    topic: string,
    group: string,
  ) {
    this.topic = deadLetterTopic(topic, group);
    this.ownGroup = `${group}.dlq`;
    this.viewGroup = `${group}.dlq-view`;
  }

  async open(): Promise<void> {
    this.membership = await this.broker.join(this.ownGroup, [this.topic], {
      assigned: (membership, assignments) => {
        for (const { topic, partition, start } of assignments) {
          this.settled.set(partition, new SettledRanges(start.offset, start.metadata));
          membership.pause({ topic, partition });
        }
      },
      messages: () => undefined,
      revoked: () => undefined,
    });
  }

  async close(): Promise<void> {
    await this.membership?.leave();
    this.membership = null;
  }

  counts(): LetterCount[] {
    return this.broker.lag(this.ownGroup, this.topic).map(({ partition, highWatermark }) => ({
      partition,
      open: this.settled.get(partition)?.openBelow(highWatermark) ?? 0n,
      end: highWatermark,
    }));
  }

  /** The range, partition by partition, cut to what there is. */
  partsOf(range: LetterRange): (LetterCount & { readonly from: bigint; readonly to: bigint })[] {
    return this.counts()
      .filter(({ partition }) => range.partition === null || range.partition === partition)
      .map((count) => ({
        ...count,
        from: range.from,
        to: range.to === null || range.to > count.end ? count.end : range.to,
      }));
  }

  /** The open letters of a range, the oldest of each partition first, at most `limit`. */
  async read(range: LetterRange, limit: number): Promise<StoredMessage[]> {
    const letters: StoredMessage[] = [];
    for (const { partition, open, from, to } of this.partsOf(range)) {
      if (open === 0n || letters.length >= limit) continue;
      const found = await this.serially(() => this.readPartition(partition, from, to, limit - letters.length));
      letters.push(...found);
    }
    return letters;
  }

  /** These need nobody any more. Rejects with `overloaded` when what is left would be too scattered to be noted. */
  async settle(partition: number, ranges: readonly (readonly [first: bigint, end: bigint])[]): Promise<void> {
    const settled = this.settled.get(partition);
    if (settled === undefined || this.membership === null)
      throw new BigpipeError('closed', 'the dead letters are not open');
    for (const [first, end] of ranges) settled.add(first, end);
    const metadata = settled.metadata(this.broker.maxMetadataBytes);
    if (metadata === null) {
      throw new BigpipeError(
        'overloaded',
        `too many gaps between the open dead letters of partition ${partition}: settle older ones first`,
      );
    }
    await this.membership.commit({ topic: this.topic, partition }, { offset: settled.mark, metadata });
  }

  /** Settles all open letters of a range; resolves to how many there were. */
  async purge(range: LetterRange): Promise<bigint> {
    let purged = 0n;
    for (const { partition, end, open, from, to } of this.partsOf(range)) {
      if (to <= from) continue;
      await this.settle(partition, [[from, to]]);
      const left = this.settled.get(partition)?.openBelow(end) ?? 0n;
      purged += open - left;
    }
    return purged;
  }

  private serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.reading.then(work);
    this.reading = done.catch(() => undefined);
    return done;
  }

  /** Reads with another group, which begins at the oldest open one each time. */
  private async readPartition(partition: number, from: bigint, to: bigint, limit: number): Promise<StoredMessage[]> {
    const letters: StoredMessage[] = [];
    const isOther = (at: TopicPartition) => at.partition !== partition;
    let ended: () => void;
    const end = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const membership = await this.broker.join(this.viewGroup, [this.topic], {
      assigned: (member, assignments) => {
        for (const assignment of assignments.filter(isOther)) member.pause(assignment);
        const own = assignments.find((assignment) => !isOther(assignment));
        if (own === undefined || own.start.offset >= to) ended();
      },
      messages: (member, batch) => {
        for (const letter of batch.messages) {
          const isWanted = letter.offset >= from && letter.offset < to && letters.length < limit;
          if (isWanted && this.settled.get(partition)?.has(letter.offset) === false) letters.push(letter);
        }
        if (batch.nextOffset < to && letters.length < limit) return;
        member.pause(batch);
        ended();
      },
      revoked: () => ended(),
    });
    await end;
    // The reader's own mark holds nothing back that is done with.
    const offset = this.settled.get(partition)?.mark ?? 0n;
    await membership.commit({ topic: this.topic, partition }, { offset, metadata: '' });
    await membership.leave();
    return letters;
  }
}
