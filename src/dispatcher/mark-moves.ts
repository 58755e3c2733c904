// What an operator does to the marks of a subscription: it is drained, they are moved, and it is opened again.
import { Logger } from '@nestjs/common';
import type { Broker } from '../broker/broker.js';
import type { ServedSubscriptions } from './served-subscriptions.js';
import { replayMetadata } from './window/offset-tracker.js';

export interface OffsetRange {
  readonly from: bigint;
  readonly to: bigint;
}

export class MarkMoves {
  private readonly log = new Logger('Dispatcher');

  constructor(
    private readonly broker: Pick<Broker, 'maxMetadataBytes'>,
    private readonly served: ServedSubscriptions,
  ) {}

  /** Moves its marks in its own topic. Resolves to the partitions whose mark was moved, those that were served here; null when it is not served. */
  async move(topic: string, groupId: string, marks: ReadonlyMap<number, bigint>): Promise<Set<number> | null> {
    if (this.served.runner(topic, groupId) === undefined) return null;
    const moved = new Set<number>();
    await this.served.reopen(topic, groupId, async (membership) => {
      for (const [partition, offset] of marks) {
        const isOurs = await membership.commit({ topic, partition }, { offset, metadata: '' }).then(
          () => true,
          () => false,
        );
        if (isOurs) moved.add(partition);
      }
    });
    this.log.warn({ msg: 'marks moved by an operator', topic, group: groupId, partitions: [...moved] });
    return moved;
  }

  /**
   * A range of settled messages comes again, to this group alone. `to` null: up to its mark. Resolves to the range; to a text
   * that says why nothing comes again.
   */
  async replay(
    topic: string,
    groupId: string,
    { partition, from, to }: { readonly partition: number; readonly from: bigint; readonly to: bigint | null },
  ): Promise<OffsetRange | string> {
    const runner = this.served.runner(topic, groupId);
    if (runner === undefined) return 'the subscription is being changed, or bigpipe is draining';
    let done: OffsetRange | string = 'the subscription is being changed';
    await this.served.reopen(topic, groupId, async (membership) => {
      const last = runner.lastCommit(partition);
      if (last === null) {
        done = `partition ${partition} is not served here`;
        return;
      }
      const end = to ?? last.offset;
      if (from >= end || end > last.offset) {
        done = `allowed: from below to, and to at most the mark ${last.offset}`;
        return;
      }
      const metadata = replayMetadata({ from, to: end }, last, this.broker.maxMetadataBytes);
      if (metadata === null) {
        done = 'messages wait in its overflow: once they are delivered';
        return;
      }
      await membership.commit({ topic, partition }, { offset: from, metadata });
      done = { from, to: end };
    });
    this.log.warn({ msg: 'a range is replayed by an operator', topic, group: groupId, partition, from: `${from}` });
    return done;
  }
}
