// Handlers that note what a broker tells a member, and commit what they are told to.
import type { Assignment, GroupHandlers, Membership, MessageBatch, TopicPartition } from '#src/broker/broker.js';
import type { Interest } from '#src/broker/interest.js';
import type { StoredMessage } from '#src/message/message.js';

export class GroupLog implements GroupHandlers {
  readonly assignments: Assignment[] = [];
  readonly received: StoredMessage[] = [];
  readonly batches: MessageBatch[] = [];
  readonly lost: TopicPartition[] = [];
  /** What the next batches wait for; unset: nothing. */
  hold: Promise<void> | null = null;
  /** Null: everything. */
  wanted: Interest | null = null;
  onRevoked: (membership: Membership, partitions: readonly TopicPartition[]) => void | Promise<void> = () => undefined;
  onMessages: (membership: Membership, batch: MessageBatch) => void = () => undefined;

  interestIn(): Interest | null {
    return this.wanted;
  }

  assigned(_membership: Membership, assignments: readonly Assignment[]): void {
    this.assignments.push(...assignments);
  }

  async messages(membership: Membership, batch: MessageBatch): Promise<void> {
    if (this.hold !== null) await this.hold;
    this.batches.push(batch);
    this.received.push(...batch.messages);
    this.onMessages(membership, batch);
  }

  async revoked(membership: Membership, partitions: readonly TopicPartition[]): Promise<void> {
    this.lost.push(...partitions);
    await this.onRevoked(membership, partitions);
  }

  bodies(partition?: number): string[] {
    return this.received
      .filter((message) => partition === undefined || message.partition === partition)
      .map(({ body }) => body.toString());
  }
}
