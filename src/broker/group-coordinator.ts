// Consumer groups inside one process: who owns which partition, and that a former owner can no longer commit.
import type { Clock } from '../message/clock.js';
import type { GroupHandlers, Membership, TopicPartition } from './broker.js';
import { LocalMembership, type MembersGroup } from './local-membership.js';
import type { PartitionLog } from './partition-log.js';
import { shareOut } from './share-out.js';

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

  /** True while a member of the group reads the topic. */
  isActive(name: string, topic: string): boolean {
    const members = this.groups.get(name)?.members ?? [];
    return [...members].some(({ topics }) => topics.includes(topic));
  }

  async close(): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.close()));
  }
}

class Group implements MembersGroup {
  readonly members = new Set<LocalMembership>();
  /** Changes of membership happen one after another. */
  private changing: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly log: PartitionLog,
    readonly clock: Clock,
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

  /** All topics of those who read it: what belongs together stays together. */
  topicChanged(topic: string): Promise<void> {
    return this.change(() => {
      const readers = [...this.members].filter(({ topics }) => topics.includes(topic));
      return this.rebalance([...new Set(readers.flatMap(({ topics }) => topics))]);
    });
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

  /** Topics with the same readers and as many partitions are shared out alike: equal numbers have one owner. */
  private async rebalance(topics: readonly string[]): Promise<void> {
    const alike = new Map<string, readonly LocalMembership[]>();
    for (const topic of topics) {
      const members = [...this.members].filter((member) => member.topics.includes(topic));
      if (members.length === 0) continue;
      const held = new Map(
        members.map((member) => [member, member.owned(topic).map(({ partition }) => partition)] as const),
      );
      const partitions = this.log.partitionsOf(topic);
      const kind = `${partitions} of ${members.map(({ topics: read }) => read.join(',')).join(';')}`;
      const owners = alike.get(kind) ?? shareOut(partitions, held);
      alike.set(kind, owners);
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
