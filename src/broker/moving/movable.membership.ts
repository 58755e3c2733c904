// A member of a group that outlives the log it was a member in: it gives all back there, and is assigned anew in another one.
import { type Clock, pause, within } from '../../message/clock.js';
import { BigpipeError } from '../../message/errors.js';
import {
  type Broker,
  type CommittedOffset,
  type GroupHandlers,
  Membership,
  type MessageBatch,
  type TopicPartition,
} from '../broker.js';

/** As long as a member has in a rebalance. */
const boundMs = 30_000;
const retryMs = 1000;

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

export interface MovableMembershipParts {
  readonly group: string;
  readonly topics: readonly string[];
  readonly handlers: GroupHandlers;
  readonly clock: Clock;
  readonly left: (membership: MovableMembership) => void;
  readonly report: (text: string, error: unknown) => void;
}

export class MovableMembership extends Membership {
  private inner: Membership | null = null;
  /** Under way, or over; never rejects. */
  private entering: Promise<unknown> = Promise.resolve();
  private hasLeft = false;
  private readonly owned = new Map<string, TopicPartition>();
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly parts: MovableMembershipParts) {
    super();
  }

  override get group(): string {
    return this.parts.group;
  }

  /** Becomes a member in this log. */
  enter(broker: Broker): Promise<void> {
    const entered = this.join(broker);
    this.entering = entered.catch(() => undefined);
    return entered;
  }

  private async join(broker: Broker): Promise<void> {
    if (this.hasLeft) return;
    const { group, topics, handlers } = this.parts;
    const inner = await broker.join(group, topics, {
      interestIn: (topic) => handlers.interestIn?.(topic) ?? null,
      assigned: (membership, assignments) => {
        this.inner = membership;
        for (const { topic, partition } of assignments)
          this.owned.set(nameOf({ topic, partition }), { topic, partition });
        return handlers.assigned(this, assignments);
      },
      messages: (_membership, batch) => this.hand(batch),
      revoked: (_membership, partitions) => {
        for (const partition of partitions) this.owned.delete(nameOf(partition));
        return handlers.revoked(this, partitions);
      },
    });
    this.inner = inner;
    if (this.hasLeft) await this.leave();
  }

  /** As `enter`, until it succeeds or nobody wants it any more. */
  async enterAtLast(broker: Broker): Promise<void> {
    const { group, clock, report } = this.parts;
    while (!this.hasLeft) {
      try {
        await this.enter(broker);
        return;
      } catch (error) {
        report(`the group ${group} could not go on in the log, will try again`, error);
        await pause(clock, retryMs);
      }
    }
  }

  /** What is in flight ends and is committed, as in a rebalance; then it is a member nowhere. */
  async withdraw(): Promise<void> {
    await this.entering;
    const { inner, owned } = this;
    if (inner === null) return;
    const partitions = [...owned.values()];
    for (const partition of partitions) inner.pause(partition);
    const given = Promise.allSettled(this.underWay).then(() => this.parts.handlers.revoked(this, partitions));
    await within(this.parts.clock, boundMs, given);
    owned.clear();
    this.inner = null;
    await inner.leave();
  }

  override pause(partition: TopicPartition): void {
    this.inner?.pause(partition);
  }

  override resume(partition: TopicPartition): void {
    this.inner?.resume(partition);
  }

  override readTo(partition: TopicPartition): bigint | null {
    return this.inner?.readTo(partition) ?? null;
  }

  override interestChanged(topic: string): void {
    this.inner?.interestChanged(topic);
  }

  override async commit(partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    if (this.inner === null) throw new BigpipeError('fenced', `${this.group} is being moved to another log`);
    await this.inner.commit(partition, committed);
  }

  override async leave(): Promise<void> {
    this.hasLeft = true;
    this.parts.left(this);
    const { inner } = this;
    this.inner = null;
    await inner?.leave();
  }

  private hand(batch: MessageBatch): void | Promise<void> {
    const handed = this.parts.handlers.messages(this, batch);
    if (handed === undefined) return;
    const over = () => this.underWay.delete(handed);
    this.underWay.add(handed);
    handed.then(over, over);
    return handed;
  }
}
