// A second place for the marks of groups, beside the broker's own: after a crash the higher of the two wins.
import type { CommittedOffset, TopicPartition } from './broker.js';

export abstract class OffsetStore {
  /** The marks that it has of these, in any order. What it cannot say it leaves out; a rejection counts as nothing. */
  abstract load(
    group: string,
    partitions: readonly TopicPartition[],
  ): Promise<readonly (TopicPartition & CommittedOffset)[]>;

  /** Called after the broker has the commit. Best effort: a rejection is told and changes nothing. */
  abstract save(group: string, partition: TopicPartition, committed: CommittedOffset): Promise<void>;
}
