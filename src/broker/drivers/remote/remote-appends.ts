// The main process's end of a worker's link: appends what comes in, and answers.
import type { Duplex } from 'node:stream';
import { BigpipeError, type ErrorCode, textOf } from '../../../message/errors.js';
import { type Acks, type Position, weightOf } from '../../../message/message.js';
import type { Broker } from '../../broker.js';
import { refusedFrame, storedFrame } from './answer-frame.js';
import { type ReceivedAppend, readAppend } from './append-frame.js';
import { FrameReader } from './frame-reader.js';

/** Known before anything is stored, and the fault of one message among many. */
const ofOneMessage: ReadonlySet<ErrorCode> = new Set(['unknown-topic', 'unknown-partition', 'message-too-large']);

/** The bound on what waits for the log, over all workers. */
export interface Admitting {
  /** False: come back later. True: `bytes` are inside until leave(bytes). */
  enter(bytes: number): boolean;
  leave(bytes: number): void;
}

interface WaitingAppend extends ReceivedAppend {
  readonly weight: number;
}

/**
 * What one read from the link brings becomes one append for each level, in the order in which it came, and is answered
 * by one frame. Appends that have come whole are stored also when the worker has died meanwhile.
 */
export class RemoteAppends {
  private readonly frames = new FrameReader();
  private arrived: WaitingAppend[] = [];

  /** `report` is told why a link was given up: what came over it made no sense. */
  constructor(
    private readonly link: Duplex,
    private readonly broker: Pick<Broker, 'append'>,
    private readonly admission: Admitting,
    private readonly report: (text: string, error: unknown) => void,
  ) {
    link.on('data', (chunk: Buffer) => this.read(chunk));
    // A worker that was killed; its exit is told elsewhere.
    link.on('error', () => undefined);
  }

  private read(chunk: Buffer): void {
    try {
      this.frames.push(chunk, (frame) => this.admit(readAppend(frame)));
    } catch (error) {
      this.report('a worker sent what is no append; its link is closed', error);
      this.link.destroy();
    }
    const { arrived } = this;
    this.arrived = [];
    for (const run of runsOf(arrived)) void this.store(run);
  }

  private admit(append: ReceivedAppend): void {
    const weight = append.messages.reduce((sum, message) => sum + weightOf(message), 0);
    if (this.admission.enter(weight)) this.arrived.push({ ...append, weight });
    else this.write(refusedFrame({ id: append.id, error: new BigpipeError('overloaded', 'too many calls wait') }));
  }

  private async store(run: readonly WaitingAppend[]): Promise<void> {
    await this.append(run);
    for (const { weight } of run) this.admission.leave(weight);
  }

  /** `appends` are of one level. */
  private async append(appends: readonly ReceivedAppend[]): Promise<void> {
    const { acks } = appends[0] as ReceivedAppend;
    try {
      const messages = appends.length === 1 ? appends[0]?.messages : appends.flatMap((append) => append.messages);
      const positions = await this.broker.append(messages ?? [], acks);
      this.answerStored(appends, positions);
    } catch (error) {
      const known = error instanceof BigpipeError ? error : new BigpipeError('storage-failed', textOf(error));
      // One bad message is no reason to refuse those beside it.
      if (appends.length > 1 && ofOneMessage.has(known.code)) {
        await Promise.all(appends.map((append) => this.append([append])));
        return;
      }
      for (const { id } of appends) this.write(refusedFrame({ id, error: known }));
    }
  }

  private answerStored(appends: readonly ReceivedAppend[], positions: readonly (Position | null)[]): void {
    let next = 0;
    const stored = appends.map(({ id, messages }) => {
      const places = positions.slice(next, next + messages.length);
      next += messages.length;
      return { id, places };
    });
    this.write(storedFrame(stored));
  }

  private write(frame: Buffer): void {
    if (this.link.destroyed || !this.link.writable) return;
    if (this.link.writableCorked === 0) {
      // Answers that become known together go together.
      this.link.cork();
      process.nextTick(() => this.link.uncork());
    }
    this.link.write(frame);
  }
}

/** Appends of one level that came one behind another. */
function runsOf(appends: readonly WaitingAppend[]): WaitingAppend[][] {
  const runs: WaitingAppend[][] = [];
  let level: Acks | null = null;
  for (const append of appends) {
    if (append.acks !== level) runs.push([]);
    level = append.acks;
    (runs.at(-1) as WaitingAppend[]).push(append);
  }
  return runs;
}
