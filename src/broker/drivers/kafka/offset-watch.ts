// Keeps the offset cache fresh, and finds out by it whether Kafka answers.
import type { Clock, Timer } from '../../../message/clock.js';
import type { KafkaLink } from './kafka-link.js';
import type { OffsetCache } from './offset-cache.js';
import { RetentionWatch } from './retention-watch.js';
import type { TopicTable } from './topic-table.js';

/** How old at most is what `lag` says of groups and appends of other processes. */
const intervalMs = 2000;

export interface OffsetWatchEvents {
  /** Kafka did not answer; told once until it answers again. */
  lost(error: unknown): void;
  failed(error: unknown): void;
  warn(text: string): void;
}

export class OffsetWatch {
  connected = false;
  private timer: Timer | null = null;
  private stopped = true;
  private readonly retention: RetentionWatch;

  constructor(
    private readonly link: KafkaLink,
    private readonly topics: TopicTable,
    private readonly offsets: OffsetCache,
    private readonly clock: Clock,
    private readonly events: OffsetWatchEvents,
  ) {
    this.retention = new RetentionWatch(link, topics, offsets, clock, (text) => events.warn(text));
  }

  start(): void {
    this.stopped = false;
    this.connected = true;
    this.later();
  }

  stop(): void {
    this.stopped = true;
    this.connected = false;
    this.timer?.cancel();
  }

  /** Rejects with whatever Kafka says. */
  async refreshEnds(names: readonly string[]): Promise<void> {
    const asked = names.map((topic) => ({ topic, partitions: numbersUpTo(this.topics.get(topic).partitions) }));
    if (asked.length === 0) return;
    const [oldest, ends] = await Promise.all([this.link.offsets(asked, 'oldest'), this.link.offsets(asked, 'end')]);
    for (const row of oldest) this.offsets.setOldest(row, row.offset);
    for (const row of ends) this.offsets.raiseEnd(row, row.offset);
  }

  private later(): void {
    if (this.stopped) return;
    this.timer = this.clock.setTimer(intervalMs, () => {
      void this.refresh().finally(() => this.later());
    });
  }

  private async refresh(): Promise<void> {
    try {
      await this.refreshEnds([...this.topics.all()].map(([name]) => name));
      for (const { group, topics } of this.offsets.groups()) await this.refreshMarks(group, topics);
      await this.retention.look();
      this.connected = !this.stopped;
    } catch (error) {
      if (this.stopped) return;
      if (this.connected) this.events.lost(error);
      this.connected = false;
      this.events.failed(error);
      this.link.failed(error);
      await this.link.refresh();
    }
  }

  private async refreshMarks(group: string, names: readonly string[]): Promise<void> {
    const known = names.filter((topic) => this.topics.has(topic));
    try {
      const node = await this.link.coordinatorOf(group);
      const { responses } = await node.offsetFetch({
        groupId: group,
        topics: known.map((topic) => ({
          topic,
          partitions: numbersUpTo(this.topics.get(topic).partitions).map((partition) => ({ partition })),
        })),
      });
      for (const { topic, partitions } of responses) {
        for (const { partition, offset } of partitions) {
          const mark = BigInt(offset);
          this.offsets.setMark(group, { topic, partition }, mark < 0n ? null : mark);
        }
      }
    } catch (error) {
      this.link.forgetCoordinator(group);
      throw error;
    }
  }
}

const numbersUpTo = (count: number) => Array.from({ length: count }, (_, number) => number);
