// Which keys are parked, kept in a topic of the subscription's own: one record each, unsettled for as long as it holds.
import type { Broker } from '../../broker/broker.js';
import type { Clock } from '../../message/clock.js';
import type { StoredMessage } from '../../message/message.js';
import { parkedTopic } from '../../message/side-topic.js';
import { appendPersistently, type Ownership } from '../append-persistently.js';

export interface ParkedRecord {
  readonly lane: string;
  /** The ownership under which it was parked. */
  readonly owner: string;
  readonly sinceMs: number;
  /** Under which its lane has that name (spillIdentityOf). */
  readonly identity: string;
  /** The topic in which its letters stand. */
  readonly letters: string;
}

export class ParkedLog {
  readonly topic: string;

  constructor(
    private readonly parts: { readonly broker: Broker; readonly clock: Clock },
    topic: string,
    group: string,
  ) {
    this.topic = parkedTopic(topic, group);
  }

  /** Kept as dead letters are: on a full log nothing else would make room. */
  prepare(partitions: number): Promise<void> {
    return this.parts.broker.ensureTopic({ name: this.topic, partitions, retention: 'keep' });
  }

  /** Resolves to the record's offset once it is durable, to null when it is no longer wanted before. */
  async write(
    partition: number,
    record: ParkedRecord,
    window: Ownership,
    failed: (error: unknown) => void,
  ): Promise<bigint | null> {
    const body = Buffer.from(JSON.stringify(record));
    const message = { topic: this.topic, partition, key: null, body, headers: {} };
    return (await appendPersistently(this.parts, message, window, failed))?.offset ?? null;
  }
}

/** Null for a record that cannot be read. */
export function parkedRecordOf({ body }: StoredMessage): ParkedRecord | null {
  try {
    const { lane, owner, identity, sinceMs, letters } = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    if (typeof lane !== 'string' || typeof owner !== 'string' || typeof letters !== 'string') return null;
    return { lane, owner, identity: String(identity), letters, sinceMs: Number(sinceMs) };
  } catch {
    return null;
  }
}
