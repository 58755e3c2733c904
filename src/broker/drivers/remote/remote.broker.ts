// A worker's broker: hands appends to the main process, which has the log; everything else is the main process's own.
import type { Duplex } from 'node:stream';
import type { Clock } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { Acks, Message, Position } from '../../../message/message.js';
import { ReleasingMap } from '../../../message/releasing-map.js';
import {
  Broker,
  type BrokerHealth,
  type Durability,
  type GroupLag,
  type Membership,
  type MessageBatch,
  notWanted,
  type PartitionLag,
} from '../../broker.js';
import { LoopGathering } from '../../loop-gathering.js';
import { type Place, readAnswer } from './answer-frame.js';
import { type AppendToSend, appendToSend, writeAppend } from './append-frame.js';
import { FrameReader } from './frame-reader.js';

/** What was sent and not answered, in bytes. The producer's own bound comes first, except at acks 0. */
const maxPendingBytes = 64 * 1_048_576;
const idLimit = 0x1_0000_0000;

/** What holds for the main process's log. */
export interface LogFacts {
  /** What each level means there. */
  readonly durabilities: Readonly<Record<`${Acks}`, Durability>>;
  readonly appendsTogether: boolean;
}

interface Pending {
  readonly messages: readonly Message[];
  readonly size: number;
  readonly isWanted: (() => boolean) | undefined;
  /** Null at acks 0, where nobody waits. */
  readonly caller: {
    readonly resolve: (positions: readonly (Position | null)[]) => void;
    readonly reject: (error: BigpipeError) => void;
  } | null;
}

/**
 * All appends of one turn of the event loop go in one write, in their order; the main process keeps it. An answer of
 * success means what it means in the main process's log. When the link ends, whoever waits gets `closed`:
 * the message may be stored or not.
 */
export class RemoteBroker extends Broker {
  override readonly maxMetadataBytes = 0;
  /** Messages of acks 0 that the main process refused: nobody was told. */
  readonly counters = { unacknowledgedLost: 0 };
  private readonly frames = new FrameReader();
  private readonly pending = new ReleasingMap<number, Pending>();
  private pendingBytes = 0;
  private unsent: AppendToSend[] = [];
  private unsentBytes = 0;
  private readonly gathering: LoopGathering;
  private lastId = 0;
  private isClosed = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly link: Duplex,
    private readonly facts: LogFacts,
    clock: Clock,
    loopEvents?: () => number,
  ) {
    super();
    this.gathering = new LoopGathering(
      clock,
      () => this.unsentBytes,
      () => this.send(),
      loopEvents,
    );
    link.on('data', (chunk: Buffer) => this.read(chunk));
    link.on('error', (error) => this.ended(textOf(error)));
    link.on('close', () => this.ended('the main process is gone'));
  }

  override async open(): Promise<void> {}

  override append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]> {
    if (this.isClosed || this.link.destroyed) {
      return Promise.reject(new BigpipeError('closed', 'the link to the main process is closed'));
    }
    const append = appendToSend(this.nextId(), acks, messages);
    const { id, size } = append;
    if (this.pending.size > 0 && this.pendingBytes + size > maxPendingBytes) {
      return Promise.reject(new BigpipeError('overloaded', `${this.pendingBytes} bytes wait for the main process`));
    }
    this.pendingBytes += size;
    this.unsent.push(append);
    this.unsentBytes += size;
    this.gathering.begin();
    if (acks === 0) {
      this.pending.set(id, { messages, size, isWanted, caller: null });
      return Promise.resolve(messages.map(() => null));
    }
    return new Promise((resolve, reject) => {
      this.pending.set(id, { messages, size, isWanted, caller: { resolve, reject } });
    });
  }

  override get appendsTogether(): boolean {
    return this.facts.appendsTogether;
  }

  override durability(acks: Acks): Durability {
    return this.facts.durabilities[`${acks}`];
  }

  override health(): BrokerHealth {
    const ok = !this.isClosed && !this.link.destroyed;
    return { ok, detail: ok ? 'the main process has the log' : 'the link to the main process is closed' };
  }

  /** Waits for the answers to what was appended. The link stays as it is: it is whoever made it that ends it. */
  override async close(): Promise<void> {
    this.isClosed = true;
    if (this.pending.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  override ensureTopic(): Promise<void> {
    return this.notHere();
  }

  override join(): Promise<Membership> {
    return this.notHere();
  }

  override fetch(): Promise<MessageBatch> {
    return this.notHere();
  }

  override lag(): PartitionLag[] {
    throw notHere();
  }

  override groupLags(): Promise<readonly GroupLag[]> {
    return this.notHere();
  }

  override check(): Promise<readonly string[]> {
    return this.notHere();
  }

  private notHere(): Promise<never> {
    return Promise.reject(notHere());
  }

  private nextId(): number {
    do {
      this.lastId = (this.lastId + 1) % idLimit;
    } while (this.pending.has(this.lastId));
    return this.lastId;
  }

  private send(): void {
    const appends = this.unsent.filter(({ id }) => this.isStillWanted(id));
    this.unsent = [];
    this.unsentBytes = 0;
    if (this.link.destroyed || appends.length === 0) return;
    const bytes = Buffer.allocUnsafe(appends.reduce((sum, { size }) => sum + size, 0));
    let position = 0;
    for (const append of appends) position = writeAppend(bytes, position, append);
    this.link.write(bytes);
  }

  /** Who does not want it any more is told, and it is not sent. */
  private isStillWanted(id: number): boolean {
    if (this.pending.get(id)?.isWanted?.() !== false) return true;
    this.refuse(id, notWanted());
    return false;
  }

  private read(chunk: Buffer): void {
    try {
      this.frames.push(chunk, (frame) => this.answered(frame));
    } catch (error) {
      this.link.destroy(error as Error);
    }
  }

  private answered(frame: Buffer): void {
    const answer = readAnswer(frame);
    if ('error' in answer) {
      this.refuse(answer.id, answer.error);
      return;
    }
    for (const { id, places } of answer) {
      const { messages, caller } = this.take(id);
      caller?.resolve(messages.map(({ topic }, i) => positionOf(topic, places[i] as Place)));
    }
  }

  private refuse(id: number, error: BigpipeError): void {
    const { messages, caller } = this.take(id);
    if (caller === null) this.counters.unacknowledgedLost += messages.length;
    else caller.reject(error);
  }

  private take(id: number): Pending {
    const pending = this.pending.get(id);
    if (pending === undefined) throw new Error(`an answer to append ${id}, which nobody waits for`);
    this.pending.delete(id);
    this.pendingBytes -= pending.size;
    if (this.pending.size === 0) for (const resolve of this.idle.splice(0)) resolve();
    return pending;
  }

  private ended(why: string): void {
    for (const [id, { caller }] of this.pending.entries()) {
      this.take(id);
      caller?.reject(new BigpipeError('closed', why));
    }
  }
}

const positionOf = (topic: string, place: Place): Position | null => place && { topic, ...place };

const notHere = () => new Error('a worker only appends: the rest is done in the main process');
