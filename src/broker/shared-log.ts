// A topic of bigpipe's own that every process reads whole: what is written there all of them know.
import { randomUUID } from 'node:crypto';
import { type Message, type Position, type StoredMessage } from '../message/message.js';
import type { Broker, Membership } from './broker.js';
import { ReadWaiters } from './read-waiters.js';

/** One partition, so that all read the same order. What is in it stays until it is freed. */
export class SharedLog {
  /** Of this process alone: it commits nothing and leaves nothing behind. */
  private readonly group: string;
  private membership: Membership | null = null;
  /** Of all processes: its mark says what nobody needs any more. */
  private keeper: Membership | null = null;
  private holdsMark: () => boolean = () => false;
  private readUpTo = 0n;
  private readonly readers = new ReadWaiters((offset) => offset < this.readUpTo);

  constructor(
    private readonly broker: Broker,
    readonly topic: string,
    /** Called for each record, from the oldest on. */
    private readonly apply: (record: StoredMessage) => void,
  ) {
    this.group = `${topic}.${randomUUID()}`;
  }

  /** All that was written before has been applied once it resolves. */
  async open(): Promise<void> {
    await this.broker.ensureTopic({ name: this.topic, partitions: 1, retention: 'keep' });
    this.membership = await this.broker.join(this.group, [this.topic], {
      keepsNoMark: true,
      assigned: () => undefined,
      messages: (_membership, { messages, nextOffset }) => {
        // Whoever becomes the owner anew begins at the oldest one again.
        for (const message of messages) if (message.offset >= this.readUpTo) this.apply(message);
        if (nextOffset > this.readUpTo) this.readUpTo = nextOffset;
        this.readers.check();
      },
      revoked: () => undefined,
    });
    const { end } = this;
    if (end > 0n) await this.untilRead(end - 1n);
  }

  /** Behind the last record. */
  get end(): bigint {
    return this.broker.lag(this.group, this.topic)[0]?.highWatermark ?? 0n;
  }

  recordOf(body: Buffer): Message {
    return { topic: this.topic, key: null, body, headers: {}, partition: 0 };
  }

  /** Resolves once it is durable and applied here. Rejects as Broker.append does. */
  async write(body: Buffer): Promise<Position | null> {
    const [position] = await this.broker.append([this.recordOf(body)], -1);
    if (position) await this.untilRead(position.offset);
    return position ?? null;
  }

  /**
   * One behind the other, and right behind what has been applied here: resolves to the offset of the first once they are
   * applied, to null when others have written in between.
   */
  async writeTogether(bodies: readonly Buffer[]): Promise<bigint | null> {
    const next = this.readUpTo;
    const positions = await this.broker.append(
      bodies.map((body) => this.recordOf(body)),
      -1,
    );
    const last = positions.at(-1)?.offset;
    if (last === undefined) return null;
    await this.readers.until(last);
    return positions[0]?.offset === next && last - next === BigInt(bodies.length - 1) ? next : null;
  }

  /** Behind the last record that is applied. */
  get readTo(): bigint {
    return this.readUpTo;
  }

  /** Resolves once the record at `offset`, and all before it, is applied here. */
  untilRead(offset: bigint): Promise<void> {
    return this.readers.until(offset);
  }

  /** True while this process is the one of all that frees, and that does what only one may do. */
  get isKeeper(): boolean {
    return this.holdsMark();
  }

  /** Becomes one of those of whom one is the keeper. `gained` is told each time that it is this one. */
  async keep(gained: () => void = () => undefined): Promise<void> {
    this.keeper ??= await this.broker.join(`${this.topic}.keeper`, [this.topic], {
      assigned: (membership, [assignment]) => {
        if (assignment === undefined) return;
        membership.pause(assignment);
        this.holdsMark = assignment.isOurs;
        gained();
      },
      messages: () => undefined,
      revoked: () => {
        this.holdsMark = () => false;
      },
    });
  }

  /** Nobody needs what stands before `offset`. One process of all does it, any of them. */
  async free(offset: bigint): Promise<void> {
    await this.keep();
    if (this.isKeeper) await this.keeper?.commit({ topic: this.topic, partition: 0 }, { offset, metadata: '' });
  }

  /** Before open and twice is fine. */
  async close(): Promise<void> {
    const members = [this.membership, this.keeper];
    this.membership = null;
    this.keeper = null;
    this.holdsMark = () => false;
    for (const member of members) await member?.leave();
  }
}
