// The dead letters of one subscription as an operator handles them: listed, read, purged, or taken out to be sent again.
import type { Broker, Membership } from '../../broker/broker.js';
import { BigpipeError } from '../../message/errors.js';
import type { StoredMessage } from '../../message/message.js';
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

/** Of what a commit may say, this is kept for letters that are under way. */
const scatterReserveBytes = 1536;

/**
 * What was purged or sent again is settled for a group of the box's own, so that it does not come again and its room is
 * freed. One member, kept for as long as the subscription is open.
 */
export class DeadLetterBox {
  private readonly ownGroup: string;
  private readonly settled = new Map<number, SettledRanges>();
  private membership: Membership | null = null;

  constructor(
    private readonly broker: Broker,
    readonly topic: string,
    group: string,
  ) {
    this.ownGroup = `${group}.dlq`;
  }

  async open(partitions: number): Promise<void> {
    await this.broker.ensureTopic({ name: this.topic, partitions, retention: 'keep' });
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

  get isClosed(): boolean {
    return this.membership === null;
  }

  endOf(partition: number): bigint {
    return this.counts()[partition]?.end ?? 0n;
  }

  /** None of the partition's letters is open. False for a partition that is not ours. */
  isEmpty(partition: number): boolean {
    return this.settled.get(partition)?.openBelow(this.endOf(partition)) === 0n;
  }

  /** False when what is settled is too scattered for more of it to be noted. */
  mayScatter(partition: number): boolean {
    return this.settled.get(partition)?.metadata(this.broker.maxMetadataBytes - scatterReserveBytes) != null;
  }

  /** A batch of open letters from `from` on, and where to go on; nothing more to read when that is `from`. */
  async next(partition: number, from: bigint): Promise<{ letters: StoredMessage[]; nextOffset: bigint }> {
    const mark = this.settled.get(partition)?.mark ?? 0n;
    const { messages, nextOffset } = await this.broker.fetch(
      { topic: this.topic, partition },
      mark > from ? mark : from,
    );
    return { letters: messages.filter((letter) => letter.offset >= from && this.isOpen(letter)), nextOffset };
  }

  /** The range, partition by partition, cut to what there is; `open`: within it. */
  partsOf(range: LetterRange): (LetterCount & { readonly from: bigint; readonly to: bigint })[] {
    return this.counts()
      .filter(({ partition }) => range.partition === null || range.partition === partition)
      .map(({ partition, end }) => {
        const { from } = range;
        const to = range.to === null || range.to > end ? end : range.to;
        const openBelow = (offset: bigint) => this.settled.get(partition)?.openBelow(offset) ?? 0n;
        return { partition, end, from, to, open: to > from ? openBelow(to) - openBelow(from) : 0n };
      });
  }

  /** The open letters of a range, the oldest of each partition first, at most `limit`. */
  async read(range: LetterRange, limit: number): Promise<StoredMessage[]> {
    const letters: StoredMessage[] = [];
    for (const { partition, open, from, to } of this.partsOf(range)) {
      if (open === 0n || letters.length >= limit) continue;
      letters.push(...(await this.readPartition(partition, from, to, limit - letters.length)));
    }
    return letters;
  }

  /** These need nobody any more. Rejects with `overloaded` when what is left would be too scattered to be noted. */
  async settle(partition: number, ranges: readonly (readonly [first: bigint, end: bigint])[]): Promise<void> {
    const settled = this.settled.get(partition);
    if (settled === undefined || this.membership === null)
      throw new BigpipeError('closed', 'the dead letters are not open');
    const next = settled.with(ranges);
    const metadata = next.metadata(this.broker.maxMetadataBytes);
    if (metadata === null) {
      throw new BigpipeError(
        'overloaded',
        `too many gaps between the open dead letters of partition ${partition}: settle older ones first`,
      );
    }
    this.settled.set(partition, next);
    await this.membership.commit({ topic: this.topic, partition }, { offset: next.mark, metadata });
  }

  /** Settles all open letters of a range; resolves to how many there were. */
  async purge(range: LetterRange): Promise<bigint> {
    let purged = 0n;
    for (const { partition, open, from, to } of this.partsOf(range)) {
      if (to <= from) continue;
      await this.settle(partition, [[from, to]]);
      purged += open;
    }
    return purged;
  }

  private async readPartition(partition: number, from: bigint, to: bigint, limit: number): Promise<StoredMessage[]> {
    const found: StoredMessage[] = [];
    for (let at = from; at < to && found.length < limit; ) {
      const { letters, nextOffset } = await this.next(partition, at);
      if (nextOffset <= at) break;
      found.push(...letters.filter(({ offset }) => offset < to).slice(0, limit - found.length));
      at = nextOffset;
    }
    return found;
  }

  /** It is neither purged nor sent. */
  isOpen({ partition, offset }: StoredMessage): boolean {
    return this.settled.get(partition)?.has(offset) === false;
  }
}
