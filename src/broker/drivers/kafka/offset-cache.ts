// What is known of ends, beginnings and marks without asking: Broker.lag answers at once.
import type { PartitionLag, TopicPartition } from '../../broker.js';

interface Bounds {
  readonly oldest: bigint[];
  readonly end: bigint[];
}

/** Ends grow with every append and fetch of this process; the rest is as old as the last refresh. */
export class OffsetCache {
  private readonly bounds = new Map<string, Bounds>();
  /** By group, then by topic. Null: nothing committed. */
  private readonly marks = new Map<string, Map<string, (bigint | null)[]>>();

  setOldest({ topic, partition }: TopicPartition, offset: bigint): void {
    this.boundsOf(topic).oldest[partition] = offset;
  }

  /** As it is at a takeover: nobody here appends to the partition at that moment. */
  setEnd({ topic, partition }: TopicPartition, end: bigint): void {
    this.boundsOf(topic).end[partition] = end;
  }

  /** An end that is lower than known is an older answer. */
  raiseEnd({ topic, partition }: TopicPartition, end: bigint): void {
    const { end: ends } = this.boundsOf(topic);
    if (end > (ends[partition] ?? -1n)) ends[partition] = end;
  }

  setMark(group: string, { topic, partition }: TopicPartition, offset: bigint | null): void {
    const topics = this.marks.get(group) ?? new Map<string, (bigint | null)[]>();
    this.marks.set(group, topics);
    const marks = topics.get(topic) ?? [];
    topics.set(topic, marks);
    marks[partition] = offset;
  }

  /** Which marks somebody asks for. */
  groups(): { readonly group: string; readonly topics: readonly string[] }[] {
    return [...this.marks].map(([group, topics]) => ({ group, topics: [...topics.keys()] }));
  }

  forget(group: string, topics: readonly string[]): void {
    const known = this.marks.get(group);
    for (const topic of topics) known?.delete(topic);
    if (known?.size === 0) this.marks.delete(group);
  }

  rows(group: string, topic: string, partitions: number): PartitionLag[] {
    const { oldest, end } = this.boundsOf(topic);
    const marks = this.marks.get(group)?.get(topic);
    if (marks === undefined) this.marks.set(group, (this.marks.get(group) ?? new Map()).set(topic, []));
    return Array.from({ length: partitions }, (_, partition) => {
      const committed = marks?.[partition] ?? null;
      const highWatermark = end[partition] ?? 0n;
      const from = committed ?? oldest[partition] ?? 0n;
      return { topic, partition, committed, highWatermark, lag: highWatermark > from ? highWatermark - from : 0n };
    });
  }

  private boundsOf(topic: string): Bounds {
    let bounds = this.bounds.get(topic);
    if (bounds === undefined) {
      bounds = { oldest: [], end: [] };
      this.bounds.set(topic, bounds);
    }
    return bounds;
  }
}
