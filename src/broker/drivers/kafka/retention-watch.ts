// Says when a group is so far behind that Kafka's retention may soon take what it has not settled.
import type { Clock } from '../../../message/clock.js';
import type { KafkaLink } from './kafka-link.js';
import type { OffsetCache } from './offset-cache.js';
import type { TopicTable } from './topic-table.js';

/** How often it is looked at most; in a topic that keeps little, eight times while it keeps a message. */
const intervalMs = 60_000;
const looksPerRetention = 8;

export class RetentionWatch {
  /** Partitions of groups that are behind, and were named. */
  private readonly named = new Set<string>();
  private nextMs = 0;

  constructor(
    private readonly link: KafkaLink,
    private readonly topics: TopicTable,
    private readonly offsets: OffsetCache,
    private readonly clock: Clock,
    private readonly warn: (text: string) => void,
  ) {}

  /** Cheap when it is not time yet. Rejects with whatever Kafka says. */
  async look(): Promise<void> {
    if (this.clock.elapsedMs() < this.nextMs) return;
    let waitMs = intervalMs;
    for (const [topic, { retentionMs }] of this.topics.all()) {
      if (retentionMs === null) continue;
      waitMs = Math.min(waitMs, retentionMs / looksPerRetention);
      await this.lookAt(topic, retentionMs);
    }
    this.nextMs = this.clock.elapsedMs() + waitMs;
  }

  private async lookAt(topic: string, retentionMs: number): Promise<void> {
    const groups = this.offsets.groups().filter(({ topics }) => topics.includes(topic));
    if (groups.length === 0) return;
    const { partitions } = this.topics.get(topic);
    const asked = [{ topic, partitions: Array.from({ length: partitions }, (_, partition) => partition) }];
    const halves = await this.link.offsets(asked, this.clock.now() - retentionMs / 2);
    for (const { group } of groups) {
      const rows = this.offsets.rows(group, topic, partitions);
      for (const { partition, offset } of halves) {
        const { highWatermark = 0n, lag = 0n } = rows[partition] ?? {};
        // Below 0: nothing is as young as that.
        const isLate = lag > 0n && (offset < 0n || highWatermark - lag < offset);
        this.tell(isLate, `${group} ${topic}/${partition}`, { group, topic, partition, lag, retentionMs });
      }
    }
  }

  private tell(
    isLate: boolean,
    name: string,
    at: { group: string; topic: string; partition: number; lag: bigint; retentionMs: number },
  ): void {
    if (!isLate) this.named.delete(name);
    else if (!this.named.has(name)) {
      this.named.add(name);
      const { group, topic, partition, lag, retentionMs } = at;
      this.warn(
        `${group} has not settled messages of ${topic}/${partition} that are older than half of what Kafka keeps (retention.ms ${retentionMs}, ${lag} messages behind): raise the topic's retention.ms before it takes them`,
      );
    }
  }
}
