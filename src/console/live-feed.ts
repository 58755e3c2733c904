// Looks once a second, remembers the curves, and tells every open page; one look and one text for all of them.
import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { Clock, type Timer } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { Steps } from '../message/steps.js';
import { History } from './history.js';
import { type Sample, Sampler } from './sampler.js';

const intervalMs = 1000;
/** A look at a hundred subscriptions takes some ten milliseconds, in steps: of the time it has at most a twentieth, a hundredth while nobody watches. */
const restPerLook = 20;
const restUnwatched = 100;
/** Pages that may be open at once. */
const maxWatchers = 16;

export interface Watcher {
  /** Part of the names of the destinations that it wants listed; null: none at all. */
  readonly match: string | null;
  /** One event of the stream, ready to be written. */
  readonly write: (event: string) => void;
  readonly end: () => void;
}

@Injectable()
export class LiveFeed implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly log = new Logger('Console');
  private readonly history = new History();
  private readonly watchers = new Set<Watcher>();
  private timer: Timer | null = null;
  /** Clock.elapsedMs() of the next look. */
  private dueMs = 0;
  private newest: Sample | null = null;
  private lastFault = '';
  private closed = false;

  constructor(
    private readonly sampler: Sampler,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.later(intervalMs);
  }

  /** Twice is fine. */
  onModuleDestroy(): void {
    this.closed = true;
    this.timer?.cancel();
    for (const { end } of this.watchers) end();
    this.watchers.clear();
  }

  get hasRoom(): boolean {
    return !this.closed && this.watchers.size < maxWatchers;
  }

  /** The curves so far and the newest sample come at once, its list soon. Only where there is room. */
  watch(watcher: Watcher): void {
    this.watchers.add(watcher);
    // Whoever watches does not wait as long as nobody does.
    if (this.dueMs - this.clock.elapsedMs() > intervalMs) this.later(intervalMs);
    watcher.write(eventOf('curves', JSON.stringify(this.history.curves)));
    if (this.newest !== null) watcher.write(eventOf('sample', JSON.stringify(this.newest)));
    if (watcher.match !== null) void this.list(watcher, watcher.match);
  }

  unwatch(watcher: Watcher): void {
    this.watchers.delete(watcher);
  }

  private later(restMs: number): void {
    this.timer?.cancel();
    if (this.closed) return;
    this.dueMs = this.clock.elapsedMs() + restMs;
    this.timer = this.clock.setTimer(restMs, () => void this.look());
  }

  private async look(): Promise<void> {
    // Meanwhile there is no timer, and this is all in time for whoever comes.
    this.dueMs = 0;
    const steps = new Steps(this.clock);
    try {
      await this.tell(steps);
      this.lastFault = '';
    } catch (error) {
      // Nothing is lost but a point of the curves.
      this.failed(error);
    }
    const rest = this.watchers.size > 0 ? restPerLook : restUnwatched;
    this.later(Math.max(intervalMs, steps.spentMs * rest));
  }

  /** The same fault is told once. */
  private failed(error: unknown): void {
    const fault = textOf(error);
    if (fault !== this.lastFault) this.log.warn({ msg: 'the console could not look', error: fault });
    this.lastFault = fault;
  }

  private async tell(steps: Steps): Promise<void> {
    const sample = await this.sampler.sample(steps);
    this.history.add(sample);
    this.newest = sample;
    if (this.watchers.size === 0) return;
    const event = eventOf('sample', JSON.stringify(sample));
    for (const { write } of this.watchers) write(event);
    const lists = new Map<string, string>();
    for (const watcher of this.watchers) {
      const { match } = watcher;
      if (match === null) continue;
      const list = lists.get(match) ?? (await this.destinationsEvent(match, steps));
      lists.set(match, list);
      if (this.watchers.has(watcher)) watcher.write(list);
    }
  }

  private async list(watcher: Watcher, match: string): Promise<void> {
    try {
      const list = await this.destinationsEvent(match, new Steps(this.clock));
      if (this.watchers.has(watcher)) watcher.write(list);
    } catch (error) {
      this.failed(error);
    }
  }

  private async destinationsEvent(match: string, steps: Steps): Promise<string> {
    return eventOf('destinations', JSON.stringify(await this.sampler.destinations(match, steps)));
  }
}

const eventOf = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;
