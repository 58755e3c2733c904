// The dead letters of one subscription as an operator handles them: listed, read, purged, or noted as sent again.
import type { Assignment, Broker, Membership } from '../../broker/broker.js';
import { BigpipeError } from '../../message/errors.js';
import { type StoredMessage, weightOf } from '../../message/message.js';
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

/** Whoever asks for letters gets no more at a time, save for the batch in which it is passed. */
const maxReadBytes = 16 * 1_048_576;
/** Of what a commit may say, this is kept for letters that are under way. */
const scatterReserveBytes = 1536;

interface OwnedLetters {
  readonly membership: Membership;
  /** As the last durable commit says. */
  settled: SettledRanges;
  /** Commits come one after another. */
  committing: Promise<void>;
}

/**
 * The letters' topic belongs to the subscription's group, so that its partitions are owned together with the topic's.
 * What was purged or sent again is settled there: it does not come again, and its room is freed. Nothing is read from it in order.
 */
export class DeadLetterBox {
  private readonly partitions = new Map<number, OwnedLetters>();

  constructor(
    private readonly broker: Broker,
    readonly topic: string,
    private readonly group: string,
  ) {}

  async prepare(partitions: number): Promise<void> {
    await this.broker.ensureTopic({ name: this.topic, partitions, retention: 'keep' });
  }

  assigned(membership: Membership, { topic, partition, start }: Assignment): void {
    membership.pause({ topic, partition });
    const settled = new SettledRanges(start.offset, start.metadata);
    this.partitions.set(partition, { membership, settled, committing: Promise.resolve() });
  }

  revoked(partition: number): void {
    this.partitions.delete(partition);
  }

  owns(partition: number): boolean {
    return this.partitions.has(partition);
  }

  /** Also of those that are others'. */
  get partitionCount(): number {
    return this.broker.lag(this.group, this.topic).length;
  }

  /** Of the partitions that are ours. */
  counts(): LetterCount[] {
    return this.broker.lag(this.group, this.topic).flatMap(({ partition, highWatermark }) => {
      const owned = this.partitions.get(partition);
      if (owned === undefined) return [];
      return { partition, open: owned.settled.openBelow(highWatermark), end: highWatermark };
    });
  }

  /** Behind the last letter. */
  endOf(partition: number): bigint {
    return this.broker.lag(this.group, this.topic)[partition]?.highWatermark ?? 0n;
  }

  /** None of the partition's letters is open. False for a partition that is not ours. */
  isEmpty(partition: number): boolean {
    return this.partitions.get(partition)?.settled.openBelow(this.endOf(partition)) === 0n;
  }

  /** It is neither purged nor sent. */
  isOpen({ partition, offset }: StoredMessage): boolean {
    return this.partitions.get(partition)?.settled.has(offset) === false;
  }

  /** False when what is settled is too scattered for more of it to be noted. */
  mayScatter(partition: number): boolean {
    return this.partitions.get(partition)?.settled.metadata(this.broker.maxMetadataBytes - scatterReserveBytes) != null;
  }

  /** The range in the partitions that are ours, cut to what there is; `open`: within it. */
  partsOf(range: LetterRange): (LetterCount & { readonly from: bigint; readonly to: bigint })[] {
    return this.counts()
      .filter(({ partition }) => range.partition === null || range.partition === partition)
      .map(({ partition, end }) => {
        const { from } = range;
        const to = range.to === null || range.to > end ? end : range.to;
        const openBelow = (offset: bigint) => this.partitions.get(partition)?.settled.openBelow(offset) ?? 0n;
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

  /** A batch of open letters from `from` on, and where to go on; nothing more to read when that is `from`. */
  async next(partition: number, from: bigint): Promise<{ letters: StoredMessage[]; nextOffset: bigint }> {
    const mark = this.partitions.get(partition)?.settled.mark ?? 0n;
    const start = mark > from ? mark : from;
    const { messages, nextOffset } = await this.broker.fetch({ topic: this.topic, partition }, start);
    return { letters: messages.filter((letter) => letter.offset >= from && this.isOpen(letter)), nextOffset };
  }

  /**
   * These need nobody any more, once it resolves. Rejects with `overloaded` when what is left would be too scattered to be
   * noted, with `fenced` for a partition that is not ours (any more), or as the commit does; then they stay open.
   */
  async settle(partition: number, ranges: readonly (readonly [first: bigint, end: bigint])[]): Promise<void> {
    const owned = this.partitions.get(partition);
    if (owned === undefined) throw new BigpipeError('fenced', `the letters of partition ${partition} are not ours`);
    const settling = owned.committing.then(() => this.commit(partition, owned, ranges));
    owned.committing = settling.catch(() => undefined);
    await settling;
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

  private async commit(
    partition: number,
    owned: OwnedLetters,
    ranges: readonly (readonly [first: bigint, end: bigint])[],
  ): Promise<void> {
    const next = owned.settled.with(ranges);
    const metadata = next.metadata(this.broker.maxMetadataBytes);
    if (metadata === null) {
      throw new BigpipeError(
        'overloaded',
        `too many gaps between the open dead letters of partition ${partition}: settle older ones first`,
      );
    }
    await owned.membership.commit({ topic: this.topic, partition }, { offset: next.mark, metadata });
    owned.settled = next;
  }

  private async readPartition(partition: number, from: bigint, to: bigint, limit: number): Promise<StoredMessage[]> {
    const found: StoredMessage[] = [];
    let weight = 0;
    for (let at = from; at < to && found.length < limit && weight < maxReadBytes; ) {
      const { letters, nextOffset } = await this.next(partition, at);
      if (nextOffset <= at) break;
      const wanted = letters.filter(({ offset }) => offset < to).slice(0, limit - found.length);
      for (const letter of wanted) weight += weightOf(letter);
      found.push(...wanted);
      at = nextOffset;
    }
    return found;
  }
}
