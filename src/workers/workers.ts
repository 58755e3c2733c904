// The doors in processes of their own: started, kept alive, told of new settings, counted together, drained together.
import { type INestApplication, Logger } from '@nestjs/common';
import type { Broker } from '../broker/broker.js';
import { durabilitiesOf, serveAppends } from '../broker/remote.module.js';
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { Settings } from '../config-watch/settings.js';
import { type Clock, type Timer, within } from '../message/clock.js';
import { BigpipeError, textOf } from '../message/errors.js';
import { Admission } from '../producer/admission.js';
import type { Stats } from '../stats/stats.js';
import type { HandedAnswer, HandedRequest, Sections } from './control-channel.js';
import { Doors } from './doors.js';
import { respawnAfter } from './respawn-delay.js';
import { shareOf } from './share-of.js';
import { sumSections } from './sum-sections.js';
import { takePort } from './take-port.js';
import { WorkerProcess } from './worker-process.js';

const startMs = 60_000;
/** A worker that turns its event loop answers in far less. */
const settingsMs = 10_000;
const countersMs = 2000;
/** Who has told nothing for six looks does not turn its event loop. Looks, not time: this process may have stood still. */
const lookMs = 5000;
const maxSilent = 6;
/** Beyond the time that a request may take to come in: what was taken is being stored. */
const drainMs = 30_000;

export interface WorkersParts {
  readonly count: number;
  readonly broker: Broker;
  readonly stats: Stats;
  readonly configWatch: ConfigWatch;
  readonly clock: Clock;
  /** Takes the lines of the workers' logs. */
  readonly line: (row: string) => void;
  /** Answers what a worker does not answer itself. */
  readonly answer: (request: HandedRequest) => Promise<HandedAnswer>;
}

export interface WorkerView {
  readonly worker: number;
  readonly pid: number | null;
  readonly state: 'starting' | 'serving' | 'draining' | 'waiting';
  /** Open when it last told. */
  readonly connections: number;
  /** How often it was replaced. */
  readonly replaced: number;
}

interface Seat {
  readonly number: number;
  process: WorkerProcess | null;
  replaced: number;
  /** Deaths that came one upon another. */
  early: number;
  timer: Timer | null;
}

export class Workers extends Doors {
  override readonly name = 'workers';
  private readonly log = new Logger(Workers.name);
  private readonly seats: Seat[];
  /** Over all workers; each of them keeps the same bound for itself, should this process stand still. */
  private readonly admission: Admission;
  private port = 0;
  private isOpen = false;
  private closing: Promise<void> | null = null;
  private watch: Timer | null = null;
  /** What workers that are gone had counted. */
  private past: Sections = {};

  constructor(private readonly parts: WorkersParts) {
    super();
    const { maxWaiting, maxWaitingBytes } = parts.configWatch.settings.producer;
    this.admission = new Admission(maxWaiting, maxWaitingBytes);
    const numbers = Array.from({ length: parts.count }, (_, i) => i + 1);
    this.seats = numbers.map((number) => ({ number, process: null, replaced: 0, early: 0, timer: null }));
    parts.stats.register('workerStats', () => this.counters);
    parts.stats.gatherBy(() => this.gather());
  }

  /** The main process takes no calls itself, but answers what workers hand to it. */
  override async open(app: INestApplication): Promise<number> {
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    const { port, host } = this.parts.configWatch.settings.server;
    this.port = await takePort(port, host);
    // One that does not even start the first time is a fault to be told, not to be tried again.
    await Promise.all(this.seats.map((seat) => this.start(seat)));
    this.isOpen = true;
    for (const seat of this.seats) if (seat.process === null) this.replaceLater(seat, 0);
    this.lookLater();
    return this.port;
  }

  /** Returns when each worker has adjusted; one that cannot is replaced by one that begins with these settings. */
  override async adjust(next: Settings): Promise<void> {
    this.admission.adjust(next.producer.maxWaiting, next.producer.maxWaitingBytes);
    await Promise.all(this.seats.map(({ process }) => process?.state === 'serving' && this.send(process, next)));
  }

  override close(): Promise<void> {
    this.closing ??= this.drainAll();
    return this.closing;
  }

  get view(): readonly WorkerView[] {
    return this.seats.map(({ number, process, replaced }) => ({
      worker: number,
      pid: process?.pid ?? null,
      state: process?.state ?? 'waiting',
      connections: process?.connections ?? 0,
      replaced,
    }));
  }

  private get counters(): Readonly<Record<string, number>> {
    const serving = this.seats.filter(({ process }) => process?.state === 'serving').length;
    const replaced = this.seats.reduce((sum, seat) => sum + seat.replaced, 0);
    return { workers: this.seats.length, serving, replaced };
  }

  private async start(seat: Seat): Promise<void> {
    const { clock, broker, configWatch, line, answer } = this.parts;
    const worker: WorkerProcess = new WorkerProcess(
      seat.number,
      clock,
      { handed: answer },
      { line, ended: (why) => this.ended(seat, worker, why) },
    );
    seat.process = worker;
    serveAppends(worker.link, broker, this.admission, (text, error) => {
      this.log.error({ msg: text, worker: seat.number, err: error });
      worker.kill();
    });
    const { settings } = configWatch;
    const order = { worker: seat.number, port: this.port, durabilities: durabilitiesOf(broker) };
    try {
      await worker.channel.ask('start', { ...order, settings: shareOf(settings, this.seats.length) }, startMs);
    } catch (error) {
      worker.kill();
      await worker.gone;
      throw new BigpipeError('closed', `worker ${seat.number} could not start: ${textOf(error)}`);
    }
    if (worker.state === 'starting') worker.state = 'serving';
    worker.servingSinceMs = clock.elapsedMs();
    this.log.log({ msg: 'a worker takes calls', worker: seat.number, workerPid: worker.pid });
    if (this.isOpen) this.shareWith(seat);
    // They may have changed while it started.
    if (configWatch.settings !== settings) await this.send(worker, configWatch.settings);
  }

  private shareWith(newcomer: Seat): void {
    for (const { process } of this.seats) {
      if (process === null || process === newcomer.process || process.state !== 'serving') continue;
      // One that does not answer is seen by the look, or has ended.
      process.channel.ask('letGo', null, countersMs).catch(() => undefined);
    }
  }

  private ended(seat: Seat, worker: WorkerProcess, why: string): void {
    const { workerStats: _, ...counted } = worker.counted;
    this.past = sumSections([this.past, counted]);
    if (seat.process !== worker) return;
    seat.process = null;
    if (this.closing !== null || !this.isOpen) return;
    const nowMs = this.parts.clock.elapsedMs();
    const { delayMs, early } = respawnAfter(nowMs - (worker.servingSinceMs ?? nowMs), seat.early);
    seat.early = early;
    const msg = 'a worker has ended and is replaced; its callers call again, what was answered is stored';
    this.log.warn({ msg, worker: seat.number, workerPid: worker.pid, why, delayMs });
    this.replaceLater(seat, delayMs);
  }

  private replaceLater(seat: Seat, delayMs: number): void {
    seat.replaced += 1;
    seat.timer = this.parts.clock.setTimer(delayMs, () => {
      seat.timer = null;
      if (this.closing !== null) return;
      // Its end was told, and is followed by the next one.
      this.start(seat).catch((error: unknown) => this.log.error({ msg: textOf(error), worker: seat.number }));
    });
  }

  private async send(worker: WorkerProcess, settings: Settings): Promise<void> {
    const msg = 'a worker could not adjust to the configuration and is replaced';
    try {
      const end = await worker.channel.ask('settings', shareOf(settings, this.seats.length), settingsMs);
      if (end === 'changed' || end === 'unchanged') return;
      this.log.error({ msg, worker: worker.number, end });
      // It may take longer than a reload: its end is what begins the next one.
      void this.drain(worker);
    } catch (error) {
      this.log.error({ msg, worker: worker.number, err: error });
      worker.kill();
    }
  }

  private lookLater(): void {
    this.watch = this.parts.clock.setTimer(lookMs, () => {
      for (const { process } of this.seats) {
        if (process?.state !== 'serving') continue;
        process.silent += 1;
        if (process.silent <= maxSilent) continue;
        this.log.error({
          msg: 'a worker stands still and is replaced',
          worker: process.number,
          workerPid: process.pid,
        });
        process.kill();
      }
      this.lookLater();
    });
  }

  private async drainAll(): Promise<void> {
    this.watch?.cancel();
    for (const { timer } of this.seats) timer?.cancel();
    await Promise.all(this.seats.map(({ process }) => process !== null && this.drain(process)));
  }

  /** Its doors close, whoever is being answered is answered, and it ends; within a bound. */
  private async drain(worker: WorkerProcess): Promise<void> {
    const { clock, configWatch } = this.parts;
    const wasStarting = worker.state === 'starting';
    worker.state = 'draining';
    if (wasStarting) {
      worker.kill();
    } else {
      try {
        const boundMs = configWatch.settings.server.readTimeoutMs + drainMs;
        worker.counted = await worker.channel.ask('drain', null, boundMs);
        worker.letGo();
      } catch {
        worker.kill();
      }
    }
    if (!(await within(clock, drainMs, worker.gone))) worker.kill();
    await worker.gone;
  }

  /** Everybody's figures: this process's, those of all workers at this moment, and of those that are gone. */
  private async gather(): Promise<Record<string, object>> {
    await Promise.all(
      this.seats.map(async ({ process }) => {
        if (process === null || process.state === 'starting') return;
        // One that does not answer counts with what it told last.
        const told = await process.channel.ask('counters', null, countersMs).catch(() => null);
        if (told !== null) process.counted = told;
      }),
    );
    // One that ended while we asked is in the past already.
    const present = this.seats.flatMap(({ process }) => (process === null ? [] : [process.counted]));
    return sumSections([this.parts.stats.snapshot(), this.past, ...present]);
  }
}
