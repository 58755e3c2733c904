// Writes to Kafka at one strength: one request a node and one batch a partition at a time, repeated until answered.
import { type Clock, pause, type Timer } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import { type Acks, type Message, weightOf } from '../../../message/message.js';
import { type AppendEntry, AppendLane, type ProducerIdentity } from './append-lane.js';
import { asBigpipeError, remedyFor, typeOf } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';
import type { KafkaNode, ProduceAnswer, ProduceRecord } from './kafka-requests.js';
import { PendingAppend } from './pending-append.js';
import { produce } from './produce.js';
import { planRequests } from './request-plan.js';

/** How long a leader waits for the other replicas before it says that it could not reach them. */
const replicasBoundMs = 5000;
/** How often it is looked for callers whose time is over. */
const expiryIntervalMs = 100;
/** How long a close waits for what was appended. */
const closeBoundMs = 10_000;
/** So long after an answer there may be more to come. */
const loadMs = 20;

export interface ProducerOptions {
  readonly acks: Acks;
  /** kafkajs' number of the codec. */
  readonly compression: number;
  /** Repeats of a batch at acks 0 and 1, where a repeat may be a duplicate. At acks -1 a repeat is none, and time is the bound. */
  readonly retries: number;
  readonly timeoutMs: number;
  readonly lingerMs: number;
  /** What may wait, in bytes; beyond it appends are refused. */
  readonly maxWaitingBytes: number;
  /** Of one partition's batch; Kafka bounds a batch like a message. One larger message still goes, and may be refused. */
  readonly maxBatchBytes: number;
}

export interface AppendTarget {
  readonly message: Message;
  readonly partition: number;
  readonly record: ProduceRecord;
}

export interface ProducerEvents {
  /** Everything below `end` is readable. */
  stored(topic: string, partition: number, end: bigint): void;
  failed(error: unknown): void;
}

export class KafkaProducer {
  /** By topic and partition. */
  private readonly lanes = new Map<string, AppendLane[]>();
  /** Those with something to write. */
  private readonly active = new Set<AppendLane>();
  private readonly busyNodes = new Set<number>();
  private identity: Promise<ProducerIdentity> | null = null;
  private waitingBytes = 0;
  private scheduled = false;
  private lastBatch = 0;
  private answeredMs = 0;
  private expiry: Timer | null = null;
  private retry: Timer | null = null;
  private idle: (() => void)[] = [];
  private lastError = '';
  private closed = false;
  /** Messages of acks 0 that never reached Kafka. */
  lost = 0;

  constructor(
    private readonly link: KafkaLink,
    private readonly clock: Clock,
    private readonly options: ProducerOptions,
    private readonly events: ProducerEvents,
  ) {}

  get bytes(): number {
    return this.waitingBytes;
  }

  /**
   * Resolves to the offsets, in the order of the targets. `patient`: waits as long as it takes, so that a rejection means
   * that nothing was stored; else it rejects after `timeoutMs`, and the message may be stored all the same.
   * Throws `overloaded` at once when too much waits. `isWanted`: Broker.append.
   */
  append(
    targets: readonly AppendTarget[],
    patient: boolean,
    isWanted: () => boolean,
  ): Promise<readonly (bigint | null)[]> {
    const weight = targets.reduce((sum, { message }) => sum + weightOf(message), 0);
    if (this.waitingBytes > 0 && this.waitingBytes + weight > this.options.maxWaitingBytes) {
      throw new BigpipeError('overloaded', `${this.waitingBytes} bytes wait for Kafka${this.because}`);
    }
    this.waitingBytes += weight;
    const deadlineMs = patient ? Number.POSITIVE_INFINITY : this.clock.elapsedMs() + this.options.timeoutMs;
    const pending = new PendingAppend(targets.length);
    targets.forEach(({ message, partition, record }, i) => {
      const own = weightOf(message);
      const settle = (result: bigint | null | BigpipeError) => {
        if (!pending.settle(i, result)) return;
        this.waitingBytes -= own;
        if (this.options.acks === 0 && result instanceof BigpipeError) this.lost += 1;
      };
      const lane = this.laneOf(message.topic, partition);
      lane.push({ record, weight: own, deadlineMs, isWanted, settle });
      this.active.add(lane);
    });
    this.schedule();
    this.watchDeadlines();
    return pending.answer;
  }

  /** Waits for what was appended, but not for ever. */
  async close(): Promise<void> {
    const emptied = new Promise<void>((resolve) => {
      if (this.isIdle) resolve();
      else this.idle.push(resolve);
    });
    const bound = new AbortController();
    await Promise.race([emptied, pause(this.clock, closeBoundMs, bound.signal)]);
    bound.abort();
    this.closed = true;
    this.expiry?.cancel();
    this.retry?.cancel();
    for (const lane of this.active) lane.abandon(new BigpipeError('closed', `the broker is closed${this.because}`));
  }

  private get because(): string {
    return this.lastError === '' ? '' : `; the last error was: ${this.lastError}`;
  }

  private get isIdle(): boolean {
    return this.active.size === 0;
  }

  private laneOf(topic: string, partition: number): AppendLane {
    let ofTopic = this.lanes.get(topic);
    if (ofTopic === undefined) {
      ofTopic = [];
      this.lanes.set(topic, ofTopic);
    }
    ofTopic[partition] ??= new AppendLane(topic, partition);
    return ofTopic[partition];
  }

  /** What is appended in one turn of the event loop goes together; under load a little more is waited for. */
  private schedule(): void {
    if (this.scheduled || this.closed) return;
    this.scheduled = true;
    const go = () => {
      this.scheduled = false;
      this.send();
    };
    const isLoaded = this.lastBatch > 1 && this.clock.elapsedMs() - this.answeredMs < loadMs;
    if (isLoaded && this.options.lingerMs > 0) this.clock.setTimer(this.options.lingerMs, go);
    else setImmediate(go);
  }

  private watchDeadlines(): void {
    if (this.expiry !== null || this.closed) return;
    this.expiry = this.clock.setTimer(expiryIntervalMs, () => {
      this.expiry = null;
      const nowMs = this.clock.elapsedMs();
      const late = () =>
        new BigpipeError('storage-failed', `Kafka did not answer within ${this.options.timeoutMs} ms${this.because}`);
      for (const lane of this.active) {
        lane.expire(nowMs, late);
        if (lane.isIdle && !lane.inFlight) this.active.delete(lane);
      }
      if (!this.isIdle) this.watchDeadlines();
      else this.becomeIdle();
    });
  }

  private becomeIdle(): void {
    if (this.idle.length === 0 || !this.isIdle) return;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  /** One request to each node that has none under way, with a batch of every partition that it leads. */
  private send(): void {
    if (this.closed) return;
    const { requests, waitMs, isLeaderless } = planRequests(this.active, {
      nowMs: this.clock.elapsedMs(),
      leaderOf: (lane) => this.link.leaderOf(lane.topic, lane.partition),
      isBusy: (node) => this.busyNodes.has(node),
      maxBatchBytes: this.options.maxBatchBytes,
    });
    for (const [leader, lanes] of requests) void this.request(leader, lanes);
    if (isLeaderless) void this.link.refresh().then(() => this.schedule());
    if (waitMs < Number.POSITIVE_INFINITY) this.retryLater(waitMs);
  }

  private retryLater(waitMs: number): void {
    if (this.retry !== null || this.closed) return;
    this.retry = this.clock.setTimer(waitMs, () => {
      this.retry = null;
      this.send();
    });
  }

  private async request(leader: number, lanes: readonly AppendLane[]): Promise<void> {
    this.busyNodes.add(leader);
    for (const lane of lanes) lane.inFlight = true;
    this.lastBatch = lanes.reduce((sum, { batch }) => sum + (batch?.length ?? 0), 0);
    let leaving = lanes;
    try {
      const node = await this.link.node(leader);
      const identity = this.options.acks === -1 ? (lanes[0]?.identity ?? (await this.ownIdentity())) : null;
      leaving = lanes.filter((lane) => lane.leave());
      if (leaving.length > 0) this.answered(leaving, await this.produce(node, identity, leaving));
    } catch (error) {
      await this.failed(leaving, error);
    } finally {
      this.answeredMs = this.clock.elapsedMs();
      this.busyNodes.delete(leader);
      for (const lane of lanes) {
        lane.inFlight = false;
        if (lane.isIdle) this.active.delete(lane);
      }
    }
    this.becomeIdle();
    if (!this.isIdle) this.schedule();
  }

  private async produce(
    node: KafkaNode,
    identity: ProducerIdentity | null,
    lanes: readonly AppendLane[],
  ): Promise<ProduceAnswer> {
    const { acks, compression } = this.options;
    const byTopic = new Map<string, AppendLane[]>();
    for (const lane of lanes) byTopic.set(lane.topic, [...(byTopic.get(lane.topic) ?? []), lane]);
    const answer = await produce(node, {
      acks,
      timeout: replicasBoundMs,
      compression,
      ...(identity === null ? {} : { producerId: identity.id, producerEpoch: identity.epoch }),
      topicData: [...byTopic].map(([topic, own]) => ({
        topic,
        partitions: own.map(({ partition, sequence, batch }) => ({
          partition,
          firstSequence: identity === null ? 0 : sequence,
          messages: (batch ?? []).map(({ record }: AppendEntry) => record),
        })),
      })),
    });
    return acks === 0 ? null : answer;
  }

  /** A partition that the answer does not name has not been written: it is sent again. */
  private answered(lanes: readonly AppendLane[], answer: ProduceAnswer): void {
    this.lastError = '';
    for (const lane of lanes) {
      const { topic, partition, batch } = lane;
      if (answer === null) {
        lane.stored(null);
        continue;
      }
      const row = answer.topics
        .find(({ topicName }) => topicName === topic)
        ?.partitions.find(({ partition: number }) => number === partition);
      if (row === undefined) {
        lane.failed(this.clock.elapsedMs());
        continue;
      }
      const base = BigInt(row.baseOffset);
      const known = base >= 0n ? base : null;
      if (known !== null) this.events.stored(topic, partition, known + BigInt(batch?.length ?? 0));
      lane.stored(known);
    }
  }

  private async failed(lanes: readonly AppendLane[], error: unknown): Promise<void> {
    this.lastError = textOf(error);
    this.events.failed(error);
    this.link.failed(error);
    const remedy = remedyFor(error);
    const nowMs = this.clock.elapsedMs();
    const single = lanes.length === 1 ? lanes[0] : undefined;
    if (single === undefined) for (const lane of lanes) lane.alone = true;
    else if (remedy === 'too-large' && single.split()) return;
    else if (remedy === 'too-large' || remedy === 'none') {
      single.refused(asBigpipeError(error, `${single.topic}/${single.partition} was not written`));
      return;
    } else if (remedy === 'sequence') await this.renumber(single);
    for (const lane of lanes) {
      lane.failed(nowMs);
      if (this.options.acks !== -1 && lane.failures > this.options.retries) {
        lane.refused(asBigpipeError(error, `${lane.topic}/${lane.partition} was not written (${typeOf(error)})`));
      }
    }
    if (remedy === 'retry') await this.link.refresh();
  }

  /** Kafka has forgotten what this partition's last number was. */
  private async renumber(lane: AppendLane): Promise<void> {
    try {
      lane.identity = await this.newIdentity();
      lane.sequence = 0;
    } catch (error) {
      this.lastError = textOf(error);
    }
  }

  private ownIdentity(): Promise<ProducerIdentity> {
    this.identity ??= this.newIdentity();
    this.identity.catch(() => {
      this.identity = null;
    });
    return this.identity;
  }

  private async newIdentity(): Promise<ProducerIdentity> {
    const node = await this.link.anyNode();
    const { producerId, producerEpoch } = await node.initProducerId({});
    return { id: producerId, epoch: producerEpoch };
  }
}
