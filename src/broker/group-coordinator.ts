// Consumer groups inside one process: who owns which partition, and that a former owner can no longer commit.
import type { Clock } from '../message/clock.js';
import type { GroupHandlers, Membership, TopicPartition } from './broker.js';
import type { Interest } from './interest.js';
import { InterestIndex } from './interest-index.js';
import { LocalMembership, type MembersGroup } from './local-membership.js';
import type { PartitionLog } from './partition-log.js';
import { PartitionReaders } from './partition-readers.js';
import { shareOut } from './share-out.js';

/** Hands a topic's partitions to the members of each group, evenly, moving as few as it can. */
export class GroupCoordinator {
  private readonly groups = new Map<string, Group>();
  /** By topic: the groups whose members have read it. */
  private readonly groupsOf = new Map<string, Set<Group>>();
  /** By topic and partition. */
  private readonly readers = new Map<string, PartitionReaders<LocalMembership>[]>();
  /** By topic: what its readers want of it. */
  private readonly interests = new Map<string, InterestIndex<LocalMembership>>();

  constructor(
    private readonly log: PartitionLog,
    private readonly clock: Clock,
    private readonly report: (text: string, error: unknown) => void,
  ) {}

  async join(name: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    for (const topic of topics) this.log.partitionsOf(topic);
    let group = this.groups.get(name);
    if (group === undefined) {
      group = new Group(name, this.log, this.clock, this.report, this);
      this.groups.set(name, group);
    }
    for (const topic of topics) {
      const groups = this.groupsOf.get(topic) ?? new Set();
      this.groupsOf.set(topic, groups.add(group));
    }
    const member = new LocalMembership(group, topics, handlers, this.log);
    await group.add(member);
    return member;
  }

  /** Those of the partition, to be woken when it has grown; once there they stay. Undefined: nobody has read it yet. */
  knownReaders({ topic, partition }: TopicPartition): PartitionReaders<LocalMembership> | undefined {
    return this.readers.get(topic)?.[partition];
  }

  /** A partition of the topic has grown. */
  wake(at: TopicPartition): void {
    this.knownReaders(at)?.wake();
  }

  /** Partitions were added to a topic: those who subscribe to it share them. */
  async topicChanged(topic: string): Promise<void> {
    await Promise.all([...(this.groupsOf.get(topic) ?? [])].map((group) => group.topicChanged(topic)));
  }

  /** How many members own the partition: one of each group. */
  readerCount({ topic, partition }: TopicPartition): number {
    return this.readers.get(topic)?.[partition]?.count ?? 0;
  }

  /** The lowest place among the members that have come as far as `offset` in the partition; null: nobody has. */
  lowestPlace({ topic, partition }: TopicPartition, offset: bigint): bigint | null {
    return this.readers.get(topic)?.[partition]?.lowestPlace(offset) ?? null;
  }

  /** True while a member of the group reads the topic. */
  isActive(name: string, topic: string): boolean {
    const members = this.groups.get(name)?.members ?? [];
    return [...members].some(({ topics }) => topics.includes(topic));
  }

  async close(): Promise<void> {
    await Promise.all([...this.groups.values()].map((group) => group.close()));
  }

  readersOf(at: TopicPartition): PartitionReaders<LocalMembership> {
    const { topic, partition } = at;
    const ofTopic = this.readers.get(topic) ?? [];
    this.readers.set(topic, ofTopic);
    let readers = ofTopic[partition];
    if (readers === undefined) {
      const { log, clock, report } = this;
      const failed = (error: unknown) => report(`${topic}/${partition} cannot be read, will try again`, error);
      readers = new PartitionReaders({ partition: at, log, clock, index: this.indexOf(topic), failed });
      ofTopic[partition] = readers;
    }
    return readers;
  }

  wants(member: LocalMembership, topic: string, interest: Interest | null): void {
    const index = this.indexOf(topic);
    if (interest === null) index.delete(member);
    else index.set(member, member.group, interest);
  }

  private indexOf(topic: string): InterestIndex<LocalMembership> {
    const index = this.interests.get(topic) ?? new InterestIndex<LocalMembership>();
    this.interests.set(topic, index);
    return index;
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
    private readonly coordinator: Pick<GroupCoordinator, 'readersOf' | 'wants'>,
  ) {}

  readersOf(partition: TopicPartition): PartitionReaders<LocalMembership> {
    return this.coordinator.readersOf(partition);
  }

  wants(member: LocalMembership, topic: string, interest: Interest | null): void {
    this.coordinator.wants(member, topic, interest);
  }

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
