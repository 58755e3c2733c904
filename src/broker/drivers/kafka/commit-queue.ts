// A member's commits: gathered, one request at a time, repeated until Kafka has them or the partition is gone.
import { type Clock, pause } from '../../../message/clock.js';
import { BigpipeError } from '../../../message/errors.js';
import type { CommittedOffset, TopicPartition } from '../../broker.js';
import type { Identity } from './group-session.js';
import { asBigpipeError, remedyFor } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';

/** Then the caller is told; nothing is lost by it, since what is not committed comes again. */
const boundMs = 10_000;
const retryMs = 50;

interface Pending {
  readonly partition: TopicPartition;
  committed: CommittedOffset;
  readonly sinceMs: number;
  readonly settle: ((error: BigpipeError | null) => void)[];
}

export interface CommitOwner {
  readonly group: string;
  /** Null while it is no member. */
  identity(): Identity | null;
  /** Asked again before every request: Kafka itself does not look. */
  owns(partition: TopicPartition): boolean;
  committed(partition: TopicPartition, committed: CommittedOffset): void;
  /** The coordinator does not know us: the session finds out. */
  doubted(): void;
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

export class CommitQueue {
  private pending = new Map<string, Pending>();
  private running: Promise<void> | null = null;

  constructor(
    private readonly link: KafkaLink,
    private readonly clock: Clock,
    private readonly owner: CommitOwner,
  ) {}

  /** A later commit of the same partition overtakes one that still waits; both are then answered. */
  commit(partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: BigpipeError | null) => (error === null ? resolve() : reject(error));
      const name = nameOf(partition);
      const waiting = this.pending.get(name);
      if (waiting === undefined) {
        this.pending.set(name, { partition, committed, sinceMs: this.clock.elapsedMs(), settle: [settle] });
      } else {
        waiting.committed = committed;
        waiting.settle.push(settle);
      }
      this.running ??= this.run();
    });
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    // What is committed in one turn of the event loop goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.pending.size > 0) {
      this.refuse();
      const batch = [...this.pending.values()];
      const identity = this.owner.identity();
      if (batch.length === 0) break;
      this.pending = new Map();
      if (identity === null || !(await this.write(batch, identity))) {
        this.putBack(batch);
        await pause(this.clock, retryMs);
      }
    }
    this.running = null;
  }

  /** What is no longer ours, and what has waited too long. */
  private refuse(): void {
    const nowMs = this.clock.elapsedMs();
    for (const [name, { partition, sinceMs, settle }] of this.pending) {
      const isOwned = this.owner.owns(partition);
      if (isOwned && nowMs - sinceMs < boundMs) continue;
      this.pending.delete(name);
      const error = isOwned
        ? new BigpipeError('storage-failed', `Kafka has not taken the commit of ${name} within ${boundMs} ms`)
        : new BigpipeError('fenced', `${this.owner.group} no longer owns ${name} here`);
      for (const tell of settle) tell(error);
    }
  }

  private async write(batch: readonly Pending[], { memberId, generation }: Identity): Promise<boolean> {
    const { group } = this.owner;
    try {
      const node = await this.link.coordinatorOf(group);
      await node.offsetCommit({ groupId: group, groupGenerationId: generation, memberId, topics: topicsOf(batch) });
    } catch (error) {
      return this.failed(batch, error, { memberId, generation });
    }
    for (const { partition, committed, settle } of batch) {
      this.owner.committed(partition, committed);
      for (const tell of settle) tell(null);
    }
    return true;
  }

  /** True when there is nothing to repeat. */
  private async failed(batch: readonly Pending[], error: unknown, identity: Identity): Promise<boolean> {
    const remedy = remedyFor(error);
    if (remedy === 'too-large') {
      if (batch.length === 1) {
        for (const tell of batch[0]?.settle ?? []) tell(asBigpipeError(error, 'the commit was refused'));
        return true;
      }
      // One of them: each by itself.
      for (const one of batch) if (!(await this.write([one], identity))) this.putBack([one]);
      return true;
    }
    if (remedy === 'fenced') {
      const now = this.owner.identity();
      if (now?.generation === identity.generation && now.memberId === identity.memberId) this.owner.doubted();
    } else if (remedy !== 'rejoin') {
      this.link.failed(error);
      this.link.forgetCoordinator(this.owner.group);
      if (remedy === 'retry') await this.link.refresh();
    }
    return false;
  }

  /** Behind what has been asked for since. */
  private putBack(batch: readonly Pending[]): void {
    for (const one of batch) {
      const newer = this.pending.get(nameOf(one.partition));
      if (newer === undefined) this.pending.set(nameOf(one.partition), one);
      else newer.settle.push(...one.settle);
    }
  }
}

function topicsOf(batch: readonly Pending[]) {
  const topics = new Map<string, { partition: number; offset: string; metadata: string }[]>();
  for (const { partition: at, committed } of batch) {
    const row = { partition: at.partition, offset: `${committed.offset}`, metadata: committed.metadata };
    topics.set(at.topic, [...(topics.get(at.topic) ?? []), row]);
  }
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }));
}
