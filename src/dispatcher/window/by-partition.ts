// Values by topic and partition, found without making a name of the two each time.
import type { TopicPartition } from '../../broker/broker.js';

/** What may be looked at. */
export interface PartitionValues<T> {
  get(at: TopicPartition): T | undefined;
  values(): Iterable<T>;
}

export class ByPartition<T> implements PartitionValues<T> {
  private readonly topics = new Map<string, Map<number, T>>();

  get({ topic, partition }: TopicPartition): T | undefined {
    return this.topics.get(topic)?.get(partition);
  }

  set({ topic, partition }: TopicPartition, value: T): void {
    const ofTopic = this.topics.get(topic);
    if (ofTopic === undefined) this.topics.set(topic, new Map([[partition, value]]));
    else ofTopic.set(partition, value);
  }

  delete({ topic, partition }: TopicPartition): void {
    const ofTopic = this.topics.get(topic);
    if (ofTopic?.delete(partition) === true && ofTopic.size === 0) this.topics.delete(topic);
  }

  clear(): void {
    this.topics.clear();
  }

  *values(): Generator<T> {
    for (const ofTopic of this.topics.values()) yield* ofTopic.values();
  }
}
