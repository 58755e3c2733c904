// Consumer groups inside one process: who owns which partition, and that a former owner can no longer commit.

import { type Clock, within } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import {
  type Assignment,
  type CommittedOffset,
  type GroupHandlers,
  Membership,
  type TopicPartition,
} from './broker.js';
import { PartitionFeed } from './partition-feed.js';
import type { PartitionLog } from './partition-log.js';

/** A member that does not give a partition back within this time loses it all the same; its late commits are fenced. */
const revokeBoundMs = 30_000;

const nameOf = (partition: TopicPartition) => `${partition.topic}/${partition.partition}`;

/** Hands a topic's partitions to the members of each group, evenly, moving as few as it can. */
export class GroupCoordinator {
  private readonly groups = new Map<string, Group>();

  constructor(
    private readonly log: PartitionLog,
    private readonly clock: Clock,
    private readonly report: (text: string, error: unknown) => void,
  ) {}

  async join(name: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    for (const topic of topics) this.log.partitionsOf(topic);
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new Group(name, this.log, this.clock, this.report);
      this.groups.set(name, group);
    }
    const member = new LocalMembership(group, topics, handlers, this.log);
    await group.add(member);
    return member;
  }

  /** A partition of the topic has grown. */
  wake(partition: TopicPartition): void {
    for (const group of this.groups.values()) group.wake(partition);
  }

  /** Partitions were added to a topic: those who subscribe to it share them. */
  async topicChanged(topic: string): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.topicChanged(topic)));
  }

  /** True while some member owns the partition. */
  isRead(partition: TopicPartition): boolean {
    for (const { members } of this.groups.values()) {
      for (const member of members) if (member.owns(partition)) return true;
    }
    return false;
  }

  /** True while the group has a member here. */
  isActive(name: string): boolean {
    return (this.groups.get(name)?.members.size ?? 0) > 0;
  }

  async close(): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.close()));
  }
}

class Group {
  readonly members = new Set<LocalMembership>();
  /** Changes of membership happen one after another. */
  private changing: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly log: PartitionLog,
    private readonly clock: Clock,
    readonly report: (text: string, error: unknown) => void,
  ) {}

  add(member: LocalMembership): Promise<void> {
    return this.change(async () => {
      this.members.add(member);
      await this.rebalance(member.topics);
    });
  }

  remove(member: LocalMembership): Promise<void> {
    return this.change(async () => {
      if (!this.members.delete(member)) return;
      await member.drop(this.clock);
      await this.rebalance(member.topics);
    });
  }

  topicChanged(topic: string): Promise<void> {
    return this.change(() => this.rebalance([topic]));
  }

  close(): Promise<void> {
    return this.change(async () => {
      for (const member of this.members) await member.drop(this.clock);
      this.members.clear();
    });
  }

  wake(partition: TopicPartition): void {
    for (const member of this.members) member.wake(partition);
  }

  private change(step: () => Promise<void>): Promise<void> {
    const done = this.changing.then(step);
    this.changing = done.catch(() => undefined);
    return done;
  }

  private async rebalance(topics: readonly string[]): Promise<void> {
    for (const topic of topics) {
      const members = [...this.members].filter((member) => member.topics.includes(topic));
      if (members.length === 0) continue;
      const owners = shareOut(this.log.partitionsOf(topic), members, topic);
      await this.handOver(topic, owners);
    }
  }

  /** First everything that moves is given back, then it is handed out: no partition ever has two owners. */
  private async handOver(topic: string, owners: readonly LocalMembership[]): Promise<void> {
    const losses = [...this.members].map((member) => ({
      member,
      lost: member.owned(topic).filter((partition) => owners[partition.partition] !== member),
    }));
    await Promise.all(
      losses.filter(({ lost }) => lost.length > 0).map(({ member, lost }) => member.revoke(lost, this.clock)),
    );
    for (const member of this.members) {
      const gained = owners
        .map((owner, partition) => ({ owner, topic, partition }))
        .filter(({ owner, partition }) => owner === member && !member.owns({ topic, partition }))
        .map(({ partition }) => ({ topic, partition }));
      if (gained.length > 0) await member.assign(gained);
    }
  }
}

/** The owner of each partition: the present one while it has no more than its share. */
function shareOut(partitions: number, members: readonly LocalMembership[], topic: string): LocalMembership[] {
  const least = Math.floor(partitions / members.length);
  let extra = partitions % members.length;
  const shares = new Map<LocalMembership, number>();
  const owners: (LocalMembership | undefined)[] = Array.from({ length: partitions });
  for (const member of members) {
    const has = member.owned(topic);
    const more = extra > 0 && has.length > least ? 1 : 0;
    extra -= more;
    for (const partition of has.slice(0, least + more)) owners[partition.partition] = member;
    shares.set(member, least + more);
  }
  for (const member of members) {
    const share = shares.get(member) as number;
    if (share === least && extra > 0) {
      extra -= 1;
      shares.set(member, share + 1);
    }
  }
  const counts = new Map(members.map((member) => [member, owners.filter((owner) => owner === member).length]));
  for (let partition = 0; partition < partitions; partition += 1) {
    if (owners[partition] !== undefined) continue;
    const next = members.find((member) => (counts.get(member) as number) < (shares.get(member) as number));
    const owner = next as LocalMembership;
    owners[partition] = owner;
    counts.set(owner, (counts.get(owner) as number) + 1);
  }
  return owners as LocalMembership[];
}

class LocalMembership extends Membership {
  private readonly feeds = new Map<string, PartitionFeed>();

  constructor(
    private readonly membersGroup: Group,
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

  wake(partition: TopicPartition): void {
    this.feeds.get(nameOf(partition))?.wake();
  }

  async assign(partitions: readonly TopicPartition[]): Promise<void> {
    const assignments = await Promise.all(partitions.map((partition) => this.claim(partition)));
    const feeds = assignments.map(
      ({ topic, partition, start }) =>
        new PartitionFeed(
          { topic, partition },
          start.offset,
          this.log,
          (batch) => this.handlers.messages(this, batch),
          (error) => this.membersGroup.report(`${this.group} stopped reading ${topic}/${partition}`, error),
        ),
    );
    for (const feed of feeds) this.feeds.set(nameOf(feed.partition), feed);
    await this.tell('assigned', () => this.handlers.assigned(this, assignments));
    for (const feed of feeds) feed.wake();
  }

  /** Waits for the member to finish, but not past the bound; after it the partitions are gone. */
  async revoke(partitions: readonly TopicPartition[], clock: Clock): Promise<void> {
    const feeds = partitions.flatMap((partition) => this.feeds.get(nameOf(partition)) ?? []);
    const given = this.stop(feeds).then(() => this.tell('revoked', () => this.handlers.revoked(this, partitions)));
    await this.bounded(clock, given);
    for (const feed of feeds) this.feeds.delete(nameOf(feed.partition));
  }

  /** Takes everything back without asking the member. */
  async drop(clock: Clock): Promise<void> {
    const feeds = [...this.feeds.values()];
    this.feeds.clear();
    await this.bounded(clock, this.stop(feeds));
  }

  private async stop(feeds: readonly PartitionFeed[]): Promise<void> {
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
  private async claim(partition: TopicPartition): Promise<Assignment> {
    const oldest = { offset: this.log.startOffset(partition), metadata: '' };
    const committed = this.log.committed(this.group, partition);
    if (committed === null) await this.log.commit(this.group, partition, oldest);
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
