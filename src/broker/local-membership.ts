// One member of an in-process group: its partitions' feeds, and what its handlers are told.
import { type Clock, within } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import {
  type Assignment,
  type CommittedOffset,
  type GroupHandlers,
  Membership,
  type TopicPartition,
} from './broker.js';
import type { Interest } from './interest.js';
import { PartitionFeed } from './partition-feed.js';
import type { PartitionLog } from './partition-log.js';
import type { PartitionReaders } from './partition-readers.js';

/** A member that does not give a partition back within this time loses it all the same; its late commits are fenced. */
const revokeBoundMs = 30_000;

const nameOf = (partition: TopicPartition) => `${partition.topic}/${partition.partition}`;

/** What a member needs of its group. */
export interface MembersGroup {
  readonly name: string;
  readonly clock: Clock;
  readonly report: (text: string, error: unknown) => void;
  remove(member: LocalMembership): Promise<void>;
  /** All feeds of the partition. */
  readersOf(partition: TopicPartition): PartitionReaders<LocalMembership>;
  /** It owns partitions of the topic and wants this of it; null: everything, or it owns none any more. */
  wants(member: LocalMembership, topic: string, interest: Interest | null): void;
}

export class LocalMembership extends Membership {
  private readonly feeds = new Map<string, PartitionFeed<LocalMembership>>();

  constructor(
    private readonly membersGroup: MembersGroup,
    readonly topics: readonly string[],
    private readonly handlers: GroupHandlers,
    private readonly log: PartitionLog,
  ) {
    super();
  }

  override get group(): string {
    return this.membersGroup.name;
  }

  owns(partition: TopicPartition): boolean {
    return this.feeds.has(nameOf(partition));
  }

  owned(topic: string): TopicPartition[] {
    return [...this.feeds.values()].map((feed) => feed.partition).filter((partition) => partition.topic === topic);
  }

  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    const claims = await Promise.all(partitions.map((partition) => this.claim(partition)));
    const feeds = claims.map(({ topic, partition, start }) => this.feedOf({ topic, partition }, start.offset));
    for (const feed of feeds) this.feeds.set(nameOf(feed.partition), feed);
    for (const topic of new Set(partitions.map((one) => one.topic))) this.interestChanged(topic);
    const assignments = claims.map((claim, i) => ({ ...claim, isOurs: () => feeds[i]?.isGone === false }));
    await this.tell('assigned', () => this.handlers.assigned(this, assignments));
    for (const feed of feeds) feed.start();
  }

  /** Waits for the member to finish, but not past the bound; after it the partitions are gone. */
  async revoke(partitions: readonly TopicPartition[], clock: Clock): Promise<void> {
    const feeds = partitions.flatMap((partition) => this.feeds.get(nameOf(partition)) ?? []);
    const given = this.stop(feeds).then(() => this.tell('revoked', () => this.handlers.revoked(this, partitions)));
    await this.bounded(clock, given);
    for (const feed of feeds) this.forget(feed);
  }

  /** Takes everything back without asking the member. */
  async drop(clock: Clock): Promise<void> {
    const feeds = [...this.feeds.values()];
    for (const feed of feeds) this.forget(feed);
    await this.bounded(clock, this.stop(feeds));
  }

  private feedOf(partition: TopicPartition, start: bigint): PartitionFeed<LocalMembership> {
    const { clock, report } = this.membersGroup;
    const { log } = this;
    const readers = this.membersGroup.readersOf(partition);
    const text = `${this.group} cannot read ${nameOf(partition)}, will try again`;
    const feed = new PartitionFeed<LocalMembership>({
      member: this,
      partition,
      start,
      log,
      clock,
      readers,
      deliver: (batch) => this.handlers.messages(this, batch),
      failed: (error) => report(text, error),
    });
    readers.add(feed);
    return feed;
  }

  private forget(feed: PartitionFeed<LocalMembership>): void {
    const { partition } = feed;
    feed.isGone = true;
    this.feeds.delete(nameOf(partition));
    this.membersGroup.readersOf(partition).delete(feed);
    if (this.owned(partition.topic).length === 0) this.membersGroup.wants(this, partition.topic, null);
  }

  private async stop(feeds: readonly PartitionFeed<LocalMembership>[]): Promise<void> {
    await Promise.all(feeds.map((feed) => feed.stop()));
  }

  private async bounded(clock: Clock, work: Promise<void>): Promise<void> {
    if (await within(clock, revokeBoundMs, work)) return;
    this.membersGroup.report(`${this.group} did not give its partitions back within ${revokeBoundMs} ms`, undefined);
  }

  override pause(partition: TopicPartition): void {
    this.feeds.get(nameOf(partition))?.pause();
  }

  override resume(partition: TopicPartition): void {
    this.feeds.get(nameOf(partition))?.resume();
  }

  override readTo(partition: TopicPartition): bigint | null {
    return this.feeds.get(nameOf(partition))?.readTo ?? null;
  }

  override interestChanged(topic: string): void {
    const interest = this.handlers.interestIn?.(topic) ?? null;
    this.membersGroup.wants(this, topic, interest);
    for (const feed of this.feeds.values()) if (feed.partition.topic === topic) feed.adjust(interest === null);
  }

  override async commit(partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    if (!this.owns(partition)) {
      throw new BigpipeError('fenced', `${this.group} no longer owns ${nameOf(partition)} here`);
    }
    await this.log.commit(this.group, partition, committed);
  }

  override async leave(): Promise<void> {
    await this.membersGroup.remove(this);
  }

  /** A group's first commit makes it known, so that retention keeps what it has not settled. */
  private async claim(partition: TopicPartition): Promise<Omit<Assignment, 'isOurs'>> {
    const oldest = { offset: this.log.startOffset(partition), metadata: '' };
    const committed = this.log.committed(this.group, partition);
    if (committed === null && this.handlers.keepsNoMark !== true) await this.log.commit(this.group, partition, oldest);
    return { ...partition, start: committed === null || committed.offset < oldest.offset ? oldest : committed };
  }

  private async tell(what: string, call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.membersGroup.report(`${this.group} failed in '${what}'`, error);
    }
  }
}
