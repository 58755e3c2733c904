// A broker whose topics and groups have names of their own in a Kafka that many tests share; nobody above can tell.
import {
  type Assignment,
  Broker,
  type BrokerHealth,
  type CommittedOffset,
  type Durability,
  type GroupHandlers,
  type GroupLag,
  Membership,
  type MessageBatch,
  type PartitionLag,
  type TopicPartition,
  type TopicSpec,
} from '#src/broker/broker.js';
import type { Acks, Message, Position } from '#src/message/message.js';

export class NamedApart extends Broker {
  readonly maxMetadataBytes: number;
  readonly appendsTogether: boolean;

  constructor(
    private readonly inner: Broker,
    private readonly prefix: string,
  ) {
    super();
    this.maxMetadataBytes = inner.maxMetadataBytes;
    this.appendsTogether = inner.appendsTogether;
  }

  open(): Promise<void> {
    return this.inner.open();
  }

  ensureTopic(spec: TopicSpec): Promise<void> {
    return this.inner.ensureTopic({ ...spec, name: this.out(spec.name) });
  }

  async append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]> {
    const positions = await this.inner.append(
      messages.map((message) => ({ ...message, topic: this.out(message.topic) })),
      acks,
      isWanted,
    );
    return positions.map((position) => position && this.back(position));
  }

  durability(acks: Acks): Durability {
    return this.inner.durability(acks);
  }

  async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    const members = new Map<Membership, NamedMembership>();
    const memberOf = (inner: Membership) => {
      const known = members.get(inner) ?? new NamedMembership(inner, group, (partition) => this.away(partition));
      members.set(inner, known);
      return known;
    };
    const inner = await this.inner.join(
      this.out(group),
      topics.map((topic) => this.out(topic)),
      {
        assigned: (member, assignments: readonly Assignment[]) =>
          handlers.assigned(
            memberOf(member),
            assignments.map((one) => this.back(one)),
          ),
        messages: (member, batch: MessageBatch) =>
          handlers.messages(memberOf(member), {
            ...this.back(batch),
            messages: batch.messages.map((message) => this.back(message)),
          }),
        revoked: (member, partitions) =>
          handlers.revoked(
            memberOf(member),
            partitions.map((partition) => this.back(partition)),
          ),
      },
    );
    return memberOf(inner);
  }

  async fetch(partition: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    const batch = await this.inner.fetch(this.away(partition), offset, maxBytes);
    return { ...this.back(batch), messages: batch.messages.map((message) => this.back(message)) };
  }

  lag(group: string, topic: string): PartitionLag[] {
    return this.inner.lag(this.out(group), this.out(topic)).map((row) => this.back(row));
  }

  async groupLags(): Promise<readonly GroupLag[]> {
    const rows = await this.inner.groupLags();
    const own = rows.filter(({ group, topic }) => group.startsWith(this.prefix) && topic.startsWith(this.prefix));
    return own.map((row) => ({ ...this.back(row), group: row.group.slice(this.prefix.length) }));
  }

  check(): Promise<readonly string[]> {
    return this.inner.check();
  }

  health(): BrokerHealth {
    return this.inner.health();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private out(name: string): string {
    return `${this.prefix}${name}`;
  }

  private away(partition: TopicPartition): TopicPartition {
    return { topic: this.out(partition.topic), partition: partition.partition };
  }

  private back<T extends { readonly topic: string }>(value: T): T {
    return { ...value, topic: value.topic.slice(this.prefix.length) };
  }
}

class NamedMembership extends Membership {
  constructor(
    private readonly inner: Membership,
    readonly group: string,
    private readonly away: (partition: TopicPartition) => TopicPartition,
  ) {
    super();
  }

  pause(partition: TopicPartition): void {
    this.inner.pause(this.away(partition));
  }

  resume(partition: TopicPartition): void {
    this.inner.resume(this.away(partition));
  }

  commit(partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    return this.inner.commit(this.away(partition), committed);
  }

  leave(): Promise<void> {
    return this.inner.leave();
  }
}
