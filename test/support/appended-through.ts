// A broker whose appends go through another one, which ends in the same log: what a worker and the main process are together.
import {
  Broker,
  type BrokerHealth,
  type Durability,
  type GroupHandlers,
  type GroupLag,
  type Membership,
  type MessageBatch,
  type PartitionLag,
  type TopicPartition,
  type TopicSpec,
} from '#src/broker/broker.js';
import type { Acks, Message, Position } from '#src/message/message.js';

export class AppendedThrough extends Broker {
  readonly maxMetadataBytes: number;

  get appendsTogether(): boolean {
    return this.appends.appendsTogether;
  }

  constructor(
    private readonly appends: Broker,
    private readonly log: Broker,
    private readonly hangUp: () => void,
  ) {
    super();
    this.maxMetadataBytes = log.maxMetadataBytes;
  }

  async open(): Promise<void> {
    await this.log.open();
    await this.appends.open();
  }

  append(messages: readonly Message[], acks: Acks, isWanted?: () => boolean): Promise<readonly (Position | null)[]> {
    return this.appends.append(messages, acks, isWanted);
  }

  durability(acks: Acks): Durability {
    return this.appends.durability(acks);
  }

  ensureTopic(spec: TopicSpec): Promise<void> {
    return this.log.ensureTopic(spec);
  }

  join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    return this.log.join(group, topics, handlers);
  }

  fetch(partition: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    return this.log.fetch(partition, offset, maxBytes);
  }

  lag(group: string, topic: string): PartitionLag[] {
    return this.log.lag(group, topic);
  }

  groupLags(): Promise<readonly GroupLag[]> {
    return this.log.groupLags();
  }

  check(): Promise<readonly string[]> {
    return this.log.check();
  }

  health(): BrokerHealth {
    return this.appends.health().ok ? this.log.health() : this.appends.health();
  }

  async close(): Promise<void> {
    await this.appends.close();
    await this.log.close();
    this.hangUp();
  }
}
