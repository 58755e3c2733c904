// The broker as the program knows it: what it holds can be moved to another one while calls come in.
import type { Clock } from '../../message/clock.js';
import type { Acks, Message, Position } from '../../message/message.js';
import {
  Broker,
  type BrokerHealth,
  type Durability,
  type GroupHandlers,
  type GroupNode,
  type Membership,
  type MessageBatch,
  type PartitionLag,
  type TopicPartition,
  type TopicSpec,
} from '../broker.js';
import { MovableMembership } from './movable.membership.js';

export class MovableBroker extends Broker {
  private readonly members = new Set<MovableMembership>();
  /** What was moved away from; closed with the rest. */
  private former: Broker | null = null;
  /** While it is there nobody becomes a member: who would be one of the log that is left waits for the other one. */
  private changing: Promise<void> | null = null;
  /** While it is there nothing is stored or made: who asks waits for it. */
  private held: Promise<void> | null = null;

  constructor(
    private inner: Broker,
    private readonly clock: Clock,
    private readonly report: (text: string, error: unknown) => void,
  ) {
    super();
  }

  /** What is in use now. */
  get current(): Broker {
    return this.inner;
  }

  override get maxMetadataBytes(): number {
    return this.inner.maxMetadataBytes;
  }

  override get appendsTogether(): boolean {
    return this.inner.appendsTogether;
  }

  /**
   * Deliveries stop; what ends them is committed, while calls still come in. `marks` then copies the marks; then calls wait too, while
   * `rest` copies what came last and makes it final. After it everything goes to `target`, and deliveries go on there. If one of the two
   * rejects, everything goes on where it was, and so does this.
   */
  async moveTo(target: Broker, marks: () => Promise<void>, rest: () => Promise<void>): Promise<void> {
    const release = Promise.withResolvers<void>();
    this.changing = release.promise;
    try {
      await Promise.all([...this.members].map((member) => member.withdraw()));
      await marks();
      this.held = release.promise;
      await rest();
      this.former = this.inner;
      this.inner = target;
    } finally {
      this.held = null;
      this.changing = null;
      release.resolve();
      await Promise.all([...this.members].map((member) => member.enterAtLast(this.inner)));
    }
  }

  override open(): Promise<void> {
    return this.inner.open();
  }

  override async ensureTopic(spec: TopicSpec): Promise<void> {
    await this.held;
    return this.inner.ensureTopic(spec);
  }

  override append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]> {
    if (this.held !== null) return this.held.then(() => this.append(messages, acks, isWanted));
    return this.inner.append(messages, acks, isWanted);
  }

  override durability(acks: Acks): Durability {
    return this.inner.durability(acks);
  }

  override async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    await this.changing;
    const member = new MovableMembership({
      group,
      topics,
      handlers,
      clock: this.clock,
      report: this.report,
      left: (gone) => this.members.delete(gone),
    });
    this.members.add(member);
    try {
      await member.enter(this.inner);
    } catch (error) {
      this.members.delete(member);
      throw error;
    }
    return member;
  }

  override fetch(partition: TopicPartition, offset: bigint): Promise<MessageBatch> {
    return this.inner.fetch(partition, offset);
  }

  override lag(group: string, topic: string): PartitionLag[] {
    return this.inner.lag(group, topic);
  }

  override groupLags(...asked: Parameters<Broker['groupLags']>): ReturnType<Broker['groupLags']> {
    return this.inner.groupLags(...asked);
  }

  override otherNodes(group: string): Promise<readonly GroupNode[]> {
    return this.inner.otherNodes(group);
  }

  override check(): Promise<readonly string[]> {
    return this.inner.check();
  }

  override health(): BrokerHealth {
    return this.inner.health();
  }

  override async close(): Promise<void> {
    await this.inner.close();
    await this.former?.close();
  }
}
