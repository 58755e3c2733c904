// The doors in processes of their own: kept alive, told of new settings, counted together, drained together.
import { type INestApplication, Logger } from '@nestjs/common';
import type { Broker } from '../broker/broker.js';
import { factsOf, serveAppends } from '../broker/remote.module.js';
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { Settings } from '../config-watch/settings.js';
import type { Clock, Timer } from '../message/clock.js';
import type { Steps } from '../message/steps.js';
import type { Producer } from '../producer/producer.js';
import type { Metrics } from '../stats/metrics/metrics.js';
import type { Stats } from '../stats/stats.js';
import type { Answerers, Sections } from './control-channel.js';
import { Doors, type SharedListener } from './doors.js';
import { Seat, type WorkerView } from './seat.js';
import { limitShares, partsOf, shareOf, takesCallsItself } from './share-of.js';
import { sumSections } from './sum-sections.js';
import { takePort } from './take-port.js';
import { registerWorkers } from './worker-metrics.js';
import type { WorkerProcess } from './worker-process.js';

const lookMs = 5000;

export interface WorkersParts {
  readonly count: number;
  readonly broker: Broker;
  readonly producer: Producer;
  /** This process's own, which takes calls where there is one worker only. */
  readonly listener: SharedListener;
  readonly stats: Stats;
  readonly metrics: Metrics;
  readonly configWatch: ConfigWatch;
  readonly clock: Clock;
  /** Takes the lines of the workers' logs. */
  readonly line: (row: string) => void;
  /** Of what a worker does not answer itself. */
  readonly answerers: Answerers;
}

export class Workers extends Doors {
  override readonly name = 'workers';
  private readonly log = new Logger(Workers.name);
  private readonly seats: readonly Seat[];
  /** Of this process, where it takes calls itself. */
  private readonly own: SharedListener | null;
  private closing: Promise<void> | null = null;
  private watch: Timer | null = null;
  /** What workers that are gone had counted. */
  private past: Sections = {};

  constructor(private readonly parts: WorkersParts) {
    super();
    const { count, broker, stats, metrics, producer, listener } = parts;
    this.own = takesCallsItself(count) ? listener : null;
    if (this.own !== null) producer.takePart((limits) => limitShares(limits, partsOf(count)));
    const seatParts = {
      ...parts,
      facts: factsOf(broker),
      settings: () => this.share(),
      serve: (worker: WorkerProcess) => this.serve(worker),
      gone: (counted: Sections) => {
        // What it had open is not what it did.
        const { workerStats: _, ...done } = counted;
        this.past = sumSections([this.past, done]);
      },
      replaced: (newcomer: Seat) => {
        for (const seat of this.seats) if (seat !== newcomer) seat.letGo();
        this.own?.letGo();
      },
    };
    this.seats = Array.from({ length: count }, (_, i) => new Seat(i + 1, seatParts));
    stats.register('workerStats', () => this.counters);
    registerWorkers(metrics, count);
    stats.gatherBy((steps) => this.gather(steps));
  }

  /** Also where the main process takes no calls itself it answers what workers hand to it. */
  override async open(app: INestApplication): Promise<number> {
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    const { port, host } = this.parts.configWatch.settings.server;
    const taken = await takePort(port, host);
    await Promise.all(this.seats.map((seat) => seat.open(taken)));
    if (this.own !== null) await this.own.open(app, taken);
    this.own?.adjust(this.share());
    for (const seat of this.seats) seat.keep();
    this.lookLater();
    return taken;
  }

  override async adjust(): Promise<void> {
    const settings = this.share();
    this.own?.adjust(settings);
    await Promise.all(this.seats.map((seat) => seat.adjust(settings)));
  }

  override close(): Promise<void> {
    this.closing ??= this.drain();
    return this.closing;
  }

  /** Beside its workers. */
  get takesCallsItself(): boolean {
    return this.own !== null;
  }

  get view(): readonly WorkerView[] {
    return this.seats.map(({ view }) => view);
  }

  /** What one process that takes calls has of the settings in force. */
  private share(): Settings {
    return shareOf(this.parts.configWatch.settings, partsOf(this.parts.count));
  }

  private get counters(): Readonly<Record<string, number>> {
    const replaced = this.view.reduce((sum, view) => sum + view.replaced, 0);
    return { workers: this.seats.length, serving: this.seats.filter((seat) => seat.isServing).length, replaced };
  }

  private serve(worker: WorkerProcess): void {
    serveAppends(worker.link, this.parts.broker, this.parts.producer.admission, (text, error) => {
      this.log.error({ msg: text, worker: worker.number, err: error });
      worker.kill();
    });
  }

  private lookLater(): void {
    this.watch = this.parts.clock.setTimer(lookMs, () => {
      for (const seat of this.seats) seat.look();
      this.lookLater();
    });
  }

  private async drain(): Promise<void> {
    this.watch?.cancel();
    await Promise.all(this.seats.map((seat) => seat.drain()));
    // Last: what workers hand over is answered here.
    await this.own?.close();
  }

  /** Everybody's figures: this process's, those of all workers at this moment, and of those that are gone. */
  private async gather(steps: Steps): Promise<Record<string, object>> {
    await Promise.all(this.seats.map((seat) => seat.count()));
    const own = await this.parts.stats.snapshot(steps);
    // One that ended while we asked is in the past already.
    return sumSections([own, this.past, ...this.seats.map(({ counted }) => counted)]);
  }
}
