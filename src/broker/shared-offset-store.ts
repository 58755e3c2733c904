// The marks of groups a second time, in what nodes share.
import type { SharedState } from '../shared-state/shared-state.js';
import type { CommittedOffset, TopicPartition } from './broker.js';
import { OffsetStore } from './offset-store.js';

/** As long as Kafka keeps its own unless it is told otherwise. */
const keptMs = 7 * 86_400_000;
const keyOf = (group: string, { topic, partition }: TopicPartition) => `mark:${group}:${topic}/${partition}`;

/** Of a partition one mark is on its way at a time; of those that come meanwhile the last one follows. */
export class SharedOffsetStore extends OffsetStore {
  private readonly underWay = new Map<string, { next: Buffer | null; readonly ended: Promise<void> }>();

  constructor(private readonly state: SharedState) {
    super();
  }

  override async load(group: string, partitions: readonly TopicPartition[]) {
    const found = await Promise.all(partitions.map((partition) => this.state.get(keyOf(group, partition))));
    return partitions.flatMap(({ topic, partition }, i) => {
      const mark = markOf(found[i] ?? null);
      return mark === null ? [] : [{ topic, partition, ...mark }];
    });
  }

  override save(group: string, partition: TopicPartition, { offset, metadata }: CommittedOffset): Promise<void> {
    const key = keyOf(group, partition);
    const mark = Buffer.from(`${offset} ${metadata}`);
    const saving = this.underWay.get(key);
    if (saving !== undefined) {
      saving.next = mark;
      return saving.ended;
    }
    const ended = this.write(key, mark).finally(() => this.underWay.delete(key));
    this.underWay.set(key, { next: null, ended });
    return ended;
  }

  private async write(key: string, first: Buffer): Promise<void> {
    // Behind the entry that says it is under way.
    await Promise.resolve();
    for (let mark: Buffer | null = first; mark !== null; ) {
      await this.state.set(key, mark, keptMs);
      const saving = this.underWay.get(key);
      mark = saving?.next ?? null;
      if (saving !== undefined) saving.next = null;
    }
  }
}

/** Null for what is none. */
function markOf(bytes: Buffer | null): CommittedOffset | null {
  const parts = bytes && /^(\d{1,18}) (.*)$/s.exec(bytes.toString('latin1'));
  return parts && { offset: BigInt(parts[1] as string), metadata: parts[2] as string };
}
