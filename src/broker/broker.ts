// THE PORT over the durable log. Drivers keep these promises; test/conformance/broker.suite.ts holds them to it.
import { BigpipeError } from '../message/errors.js';
import type { Acks, Message, Position, StoredMessage } from '../message/message.js';
import type { Interest } from './interest.js';

/**
 * What an answer of success stands for: nothing yet, this process's memory, the system's page cache, a synced disk,
 * that the partition's leader has it, or all replicas that are in step.
 */
export const durabilities = ['none', 'memory', 'page-cache', 'disk', 'leader', 'replicas'] as const;
export type Durability = (typeof durabilities)[number];

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * standard: settled messages go by age and size. side: they go as soon as they are settled, and never before.
 * keep: the same, once a group has a mark there; and they may use what is kept in reserve when the log is full.
 */
export const retentions = ['standard', 'side', 'keep'] as const;
export type Retention = (typeof retentions)[number];

export interface TopicSpec {
  readonly name: string;
  /** 1 to 1,024. Also the modulus that chooses a key's partition. */
  readonly partitions: number;
  readonly retention: Retention;
}

/** What append rejects with when `isWanted` said false. */
export const notWanted = () => new BigpipeError('fenced', 'the partition may belong to somebody else by now');

/** A group's mark in a partition: everything below `offset` is settled; `metadata` says what above it is. */
export interface CommittedOffset {
  readonly offset: bigint;
  readonly metadata: string;
}

export interface Assignment extends TopicPartition {
  /** Where to begin: the committed mark, or the oldest message for a group that never committed. */
  readonly start: CommittedOffset;
  /**
   * False once somebody else may own the partition: it was given back, or nobody has told this member for too long that it
   * is still its own. Nothing may then be sent or stored for it. It may become true again, unless it was given back.
   */
  readonly isOurs: () => boolean;
}

/** Messages of one partition in the order of their offsets; never empty, unless only `nextOffset` has moved. */
export interface MessageBatch extends TopicPartition {
  readonly messages: readonly StoredMessage[];
  /** Offsets below it that are not in the batch hold nothing that can be delivered (damage, retention), or nothing that the member wants. */
  readonly nextOffset: bigint;
}

/**
 * What a member wants to be told. All calls of one partition come one after another.
 * A batch whose handler throws comes again after a while; what another handler throws is logged.
 */
export interface GroupHandlers {
  /**
   * What the member wants of a topic; null: everything. The rest may be left out, and then `messages` is not called for it:
   * `Membership.readTo` says how far it is. It may come all the same.
   */
  interestIn?(topic: string): Interest | null;
  /** Of a group that this process alone is for a while: nothing is kept on its account, and it leaves nothing behind. */
  readonly keepsNoMark?: true;
  /** The partitions are this member's from now on. Called before their first batch. */
  assigned(membership: Membership, assignments: readonly Assignment[]): void | Promise<void>;
  /** The next batch of a partition comes after the promise of the one before has resolved. */
  messages(membership: Membership, batch: MessageBatch): void | Promise<void>;
  /** Leave to finish and commit; when the promise resolves, or after a bound, the partitions belong to someone else. */
  revoked(membership: Membership, partitions: readonly TopicPartition[]): void | Promise<void>;
}

/** One member of a consumer group. */
export abstract class Membership {
  abstract readonly group: string;

  /** No more batches of the partition, save one that is already under way. */
  abstract pause(partition: TopicPartition): void;
  abstract resume(partition: TopicPartition): void;

  /** All below was handed over, or is not wanted by GroupHandlers.interestIn; null while a batch is under way, and where nothing is left out. */
  readTo(_partition: TopicPartition): bigint | null {
    return null;
  }

  /** GroupHandlers.interestIn says something else from now on. */
  interestChanged(_topic: string): void {
    // Nothing is left out.
  }

  /**
   * Resolves when the mark is as durable as an acknowledged message. Rejects with `fenced` when the
   * partition is no longer this member's. The mark may move back as far as messages are kept. `metadata` is at most Broker.maxMetadataBytes of ASCII.
   */
  abstract commit(partition: TopicPartition, committed: CommittedOffset): Promise<void>;

  /** Gives back all partitions (without calling `revoked`) and stops. Twice is fine. */
  abstract leave(): Promise<void>;
}

export interface PartitionLag extends TopicPartition {
  /** Null for a group that has committed nothing there. */
  readonly committed: bigint | null;
  readonly highWatermark: bigint;
  readonly lag: bigint;
}

/** Of a group that has a mark there. */
export interface GroupLag extends PartitionLag {
  readonly group: string;
  readonly committed: bigint;
}

/** A process that has members in a group, and where it is reached. */
export interface GroupNode {
  readonly id: string;
  /** An origin. */
  readonly address: string;
  /** That it owns, of all topics of the group. */
  readonly partitions: number;
}

export interface BrokerHealth {
  readonly ok: boolean;
  readonly detail: string;
  /** True when nothing but a new process can heal it. */
  readonly isDead?: boolean;
}

export abstract class Broker {
  /** The longest metadata a commit may carry, in bytes. */
  abstract readonly maxMetadataBytes: number;

  /** True: all messages of one append are stored or none, whatever dies; false: some may be when it fails. */
  abstract readonly appendsTogether: boolean;

  /** Ready to append and to be joined. Rejects with a BigpipeError that says what to do. */
  abstract open(): Promise<void>;

  /** Creates the topic, or adds partitions to it; never takes any away. */
  abstract ensureTopic(spec: TopicSpec): Promise<void>;

  /**
   * Stores all the messages or none (on several machines: all of a partition or none), in their order, and resolves to their positions once they are as
   * durable as `acks` asks. At acks 0 the promise is already resolved and holds null for each: no position
   * is known. Order holds among appends of one level. `isWanted` is asked once more right before they leave this process:
   * where it says false nothing is stored. Rejects with a BigpipeError: overloaded, storage-full, storage-failed,
   * storage-stopped, message-too-large, unknown-topic, unknown-partition, closed, fenced (not wanted any more).
   */
  abstract append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]>;

  /** What a success at this level means here and now. */
  abstract durability(acks: Acks): Durability;

  /**
   * Becomes a member of the group. A group that has never committed begins at the oldest message. Topics with as many
   * partitions as one another that the same members read are shared out alike, and handed over in the order they are named.
   */
  abstract join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership>;

  /**
   * A batch from `offset` on for whoever looks something up: no group, no mark. From the oldest message that is kept if that is
   * behind it; no messages and `nextOffset` = `offset` at the end. About `maxBytes` at most, as the driver likes if absent; one message comes in any case.
   */
  abstract fetch(partition: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch>;

  /** How far the group is behind in each partition of the topic. */
  abstract lag(group: string, topic: string): PartitionLag[];

  /**
   * How far every group is behind that has a mark in this log, whoever's it is and whether or not anybody reads: asked of the
   * log now, not remembered. Side topics too. Rejects with a BigpipeError when the log does not answer.
   */
  abstract groupLags(): Promise<readonly GroupLag[]>;

  /**
   * The other processes that have members in the group and say where they are reached: asked of the log now. None where the log is
   * one process's. Rejects with `unavailable` while that cannot be said, as in the middle of a rebalance.
   */
  async otherNodes(_group: string): Promise<readonly GroupNode[]> {
    return [];
  }

  /** Looks through what is stored for damage; each line names one fault. May take minutes on a large log. */
  abstract check(): Promise<readonly string[]>;

  abstract health(): BrokerHealth;

  /** Waits for what was appended, then closes. Before open and twice is fine; appends after it reject with `closed`. */
  abstract close(): Promise<void>;
}
