// One stream of messages: read no faster than they are stored, stored in their order, each answered by itself.
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { AclEntry } from '../../acl/acl-entry.js';
import type { BigpipeError } from '../../message/errors.js';
import type { Accepted, Offer } from '../../producer/producer.js';
import { durabilityWord } from '../durability-word.js';
import { type Problem, problemOf } from '../messages/problem.js';
import { toldProblem } from '../messages/v1-scope.js';
import type { Closing } from './closing.js';
import { unknownCaller, usedUp } from './grpc-caller.js';
import type { GrpcCounters } from './grpc-counters.js';
import type { PublishStreamRequest, PublishStreamResponse } from './protos.js';
import { errorOf, statusOf } from './refusal.js';

/** What of a stream may be read and not answered: the messages, and their bytes (then at least one message). */
export const windowMessages = 256;
const windowBytes = 1_048_576;

export interface PublishStreamParts {
  readonly callerOf: () => Promise<AclEntry | null>;
  readonly read: (request: PublishStreamRequest, caller: AclEntry) => Offer | Problem;
  readonly store: (offers: readonly Offer[]) => Promise<(Accepted | BigpipeError)[]>;
  readonly closing: Closing;
  readonly counters: GrpcCounters;
}

type Outcome = Omit<PublishStreamResponse, 'sequence'>;

/** What is gathered while a batch is being stored is the next batch: one at a time, so that the order stays. */
export class PublishStream {
  private gathered: PublishStreamRequest[] = [];
  private unanswered = 0;
  private unansweredBytes = 0;
  private isStoring = false;
  private hasEnded = false;
  /** Nobody hears of it any more. */
  private isOver = false;
  private forget: () => void = () => undefined;

  constructor(
    private readonly call: ServerDuplexStream<PublishStreamRequest, PublishStreamResponse>,
    private readonly parts: PublishStreamParts,
  ) {}

  start(): void {
    const { call, parts } = this;
    parts.counters.received.streams += 1;
    const metadata = new Metadata();
    metadata.set('bigpipe-window', `${windowMessages}`);
    call.sendMetadata(metadata);
    call.on('data', (request: PublishStreamRequest) => this.gather(request));
    call.on('end', () => {
      this.hasEnded = true;
      void this.work();
    });
    // The caller has gone, or its deadline is over: what it was not answered it does not know.
    call.once('close', () => {
      parts.counters.received.streams -= 1;
      this.isOver = true;
      this.forget();
    });
    this.forget = parts.closing.tell(() => this.refuse(problemOf('closed', 'bigpipe is shutting down')));
  }

  private gather(request: PublishStreamRequest): void {
    this.gathered.push(request);
    this.unanswered += 1;
    this.unansweredBytes += bytesOf(request);
    if (this.isFull) this.call.pause();
    void this.work();
  }

  private get isFull(): boolean {
    return this.unanswered >= windowMessages || this.unansweredBytes >= windowBytes;
  }

  /** Never rejects. */
  private async work(): Promise<void> {
    if (this.isStoring) return;
    this.isStoring = true;
    while (this.gathered.length > 0 && !this.isOver) await this.storeGathered();
    this.isStoring = false;
    if (this.hasEnded && !this.isOver) this.end(() => this.call.end());
  }

  private async storeGathered(): Promise<void> {
    const batch = this.gathered;
    this.gathered = [];
    const caller = await this.parts.callerOf();
    if (caller === null) {
      this.refuse(unknownCaller);
      return;
    }
    const outcomes = await this.outcomesOf(batch, caller);
    for (const [i, { sequence = '0' }] of batch.entries()) await this.answer({ sequence, ...outcomes[i] });
    for (const request of batch) this.unansweredBytes -= bytesOf(request);
    this.unanswered -= batch.length;
    if (!this.isFull && !this.isOver) this.call.resume();
  }

  private async outcomesOf(batch: readonly PublishStreamRequest[], caller: AclEntry): Promise<readonly Outcome[]> {
    const read = batch.map((request) => this.readOne(request, caller));
    const offers = read.filter((one): one is Offer => 'message' in one && 'once' in one);
    const stored = await this.parts.store(offers).catch((error: unknown) => offers.map(() => error as Error));
    let next = 0;
    const { received } = this.parts.counters;
    received.received += batch.length;
    return read.map((one) => {
      const outcome = 'once' in one ? outcomeOf(stored[next++]) : one;
      received[outcome.published === undefined ? 'refused' : 'accepted'] += 1;
      return outcome;
    });
  }

  private readOne(request: PublishStreamRequest, caller: AclEntry): Offer | Outcome {
    const throttle = caller.admit();
    if (throttle !== null) return { refused: statusOf(usedUp, throttle.retryAfterS) };
    const offer = this.parts.read(request, caller);
    return 'code' in offer ? { refused: statusOf(offer) } : offer;
  }

  /** No faster than the caller reads. */
  private async answer(response: PublishStreamResponse): Promise<void> {
    const { call } = this;
    if (this.isOver || call.write(response)) return;
    await new Promise<void>((resolve) => {
      call.once('drain', resolve);
      call.once('close', resolve);
    });
  }

  /** The whole stream ends so; what was not answered is not stored, or not known to be. */
  private refuse(problem: Problem): void {
    if (!this.isOver) this.end(() => this.call.emit('error', errorOf(problem)));
  }

  private end(end: () => void): void {
    this.isOver = true;
    this.forget();
    end();
    // What still comes is read and thrown away, so that the stream can close.
    this.call.resume();
  }
}

function outcomeOf(stored: Accepted | Error | undefined): Outcome {
  if (stored === undefined || stored instanceof Error) return { refused: statusOf(toldProblem(stored)) };
  const { id, durability, isReplay } = stored;
  return { published: { id, durability: durabilityWord(durability), replayed: isReplay } };
}

function bytesOf({ message }: PublishStreamRequest): number {
  const { body, key, headers = [] } = message ?? {};
  const lengths = headers.map(({ name, value }) => (name?.length ?? 0) + (value?.length ?? 0));
  return lengths.reduce((sum, length) => sum + length, (body?.length ?? 0) + (key?.length ?? 0));
}
