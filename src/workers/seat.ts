// One worker's place: the process that sits there is started, told, watched, replaced when it ends, and drained.
import { Logger } from '@nestjs/common';
import type { LogFacts } from '../broker/remote.module.js';
import type { Settings } from '../config-watch/settings.js';
import { type Clock, type Timer, within } from '../message/clock.js';
import { BigpipeError, textOf } from '../message/errors.js';
import type { Answerers, Sections } from './control-channel.js';
import { respawnAfter } from './respawn-delay.js';
import { WorkerProcess } from './worker-process.js';

const startMs = 60_000;
/** A worker that turns its event loop answers in far less. */
const settingsMs = 10_000;
const countersMs = 2000;
/** Who has told nothing for six looks does not turn its event loop. Looks, not time: this process may have stood still. */
const maxSilent = 6;
/** Beyond the time that a request may take to come in: what was taken is being stored. */
const drainMs = 30_000;

export interface SeatParts {
  readonly clock: Clock;
  readonly facts: LogFacts;
  /** In force now, as this worker gets them. */
  readonly settings: () => Settings;
  /** Appends what comes over the worker's link, until it ends. */
  readonly serve: (worker: WorkerProcess) => void;
  readonly line: (row: string) => void;
  /** Of what the worker asks. */
  readonly answerers: Answerers;
  /** A worker is gone; what it had counted. */
  readonly gone: (counted: Sections) => void;
  /** One sits where another sat. */
  readonly replaced: (seat: Seat) => void;
}

export interface WorkerView {
  readonly worker: number;
  readonly pid: number | null;
  readonly state: WorkerProcess['state'] | 'waiting';
  /** Open when it last told. */
  readonly connections: number;
  /** How often it was replaced. */
  readonly replaced: number;
}

export class Seat {
  private readonly log = new Logger('Workers');
  private worker: WorkerProcess | null = null;
  private port = 0;
  private replacements = 0;
  /** Deaths that came one upon another. */
  private early = 0;
  private timer: Timer | null = null;
  /** Who ends is followed by another one. */
  private isKept = false;

  /** `number` is 1 to the number of workers. */
  constructor(
    private readonly number: number,
    private readonly parts: SeatParts,
  ) {}

  get view(): WorkerView {
    const { worker, number, replacements } = this;
    const { pid = null, state = 'waiting', connections = 0 } = worker ?? {};
    return { worker: number, pid, state, connections, replaced: replacements };
  }

  get isServing(): boolean {
    return this.worker?.state === 'serving';
  }

  /** Of the process that sits here now. */
  get counted(): Sections {
    return this.worker?.counted ?? {};
  }

  /** Rejects when the first one does not start: a fault to be told, not to be tried again. */
  async open(port: number): Promise<void> {
    this.port = port;
    await this.start();
  }

  /** From here on whoever ends is replaced. */
  keep(): void {
    this.isKept = true;
    if (this.worker === null) this.replaceLater(0);
  }

  /** Returns when the worker has adjusted; one that cannot is replaced by one that begins with these settings. */
  async adjust(settings: Settings): Promise<void> {
    const { worker } = this;
    if (worker === null || worker.state !== 'serving') return;
    const msg = 'a worker could not adjust to the configuration and is replaced';
    try {
      const end = await worker.channel.ask('settings', settings, settingsMs);
      if (end === 'changed' || end === 'unchanged') return;
      this.log.error({ msg, worker: this.number, end });
      // It may take longer than a reload: its end is what begins the next one.
      void this.end(worker);
    } catch (error) {
      this.log.error({ msg, worker: this.number, err: error });
      worker.kill();
    }
  }

  /** Its counters at this moment; of one that does not answer, what it told last. */
  async count(): Promise<void> {
    const { worker } = this;
    if (worker === null || worker.state === 'starting') return;
    const told = await worker.channel.ask('counters', null, countersMs).catch(() => null);
    if (told !== null) worker.counted = told;
  }

  /** Its connections go where there are fewer, each after one more answer. */
  letGo(): void {
    // One that does not answer is seen by the next looks, or has ended.
    if (this.isServing) this.worker?.channel.ask('letGo', null, countersMs).catch(() => undefined);
  }

  /** Called every few seconds: who stands still is replaced. */
  look(): void {
    const { worker } = this;
    if (worker === null || worker.state !== 'serving') return;
    worker.silent += 1;
    if (worker.silent <= maxSilent) return;
    this.log.error({ msg: 'a worker stands still and is replaced', worker: this.number, workerPid: worker.pid });
    worker.kill();
  }

  /** Its doors close, whoever is being answered is answered, and nobody follows. Within a bound. */
  async drain(): Promise<void> {
    this.isKept = false;
    this.timer?.cancel();
    if (this.worker !== null) await this.end(this.worker);
  }

  private async start(): Promise<void> {
    const { clock, facts, line, answerers, serve } = this.parts;
    const worker: WorkerProcess = new WorkerProcess(this.number, clock, answerers, {
      line,
      ended: (why) => this.ended(worker, why),
    });
    this.worker = worker;
    serve(worker);
    const settings = this.parts.settings();
    try {
      await worker.channel.ask('start', { worker: this.number, port: this.port, facts, settings }, startMs);
    } catch (error) {
      worker.kill();
      await worker.gone;
      throw new BigpipeError('closed', `worker ${this.number} could not start: ${textOf(error)}`);
    }
    worker.serves();
    this.log.log({ msg: 'a worker takes calls', worker: this.number, workerPid: worker.pid });
    if (this.isKept) this.parts.replaced(this);
    // What changed while it started.
    await this.adjust(this.parts.settings());
  }

  private ended(worker: WorkerProcess, why: string): void {
    this.parts.gone(worker.counted);
    this.worker = null;
    if (!this.isKept) return;
    const { delayMs, early } = respawnAfter(worker.servedMs, this.early);
    this.early = early;
    const msg = 'a worker has ended and is replaced; its callers call again, what was answered is stored';
    this.log.warn({ msg, worker: this.number, workerPid: worker.pid, why, delayMs });
    this.replaceLater(delayMs);
  }

  private replaceLater(delayMs: number): void {
    this.replacements += 1;
    this.timer = this.parts.clock.setTimer(delayMs, () => {
      // Its end was told, and is followed by the next one.
      this.start().catch((error: unknown) => {
        if (this.isKept) this.log.error({ msg: textOf(error), worker: this.number });
      });
    });
  }

  private async end(worker: WorkerProcess): Promise<void> {
    const { clock } = this.parts;
    const isStarted = worker.state !== 'starting';
    worker.state = 'draining';
    try {
      if (!isStarted) throw new Error('it has taken no calls yet');
      const boundMs = this.parts.settings().server.readTimeoutMs + drainMs;
      worker.counted = await worker.channel.ask('drain', null, boundMs);
      worker.letGo();
    } catch {
      worker.kill();
    }
    if (!(await within(clock, drainMs, worker.gone))) worker.kill();
    await worker.gone;
  }
}
