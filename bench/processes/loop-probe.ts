// Loaded into a process before its program (--import): notes how late its event loops are, and what each long pause was made of.
import { appendFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { threadId } from 'node:worker_threads';
import type { LoopNotes, Pause } from '../support/loop-notes.ts';

const tickMs = 5;
const writeMs = 1000;
/** Shorter ones are only counted. */
const pauseMs = 20;
/** A collection that ended before this pause began is no part of it. */
const keptGarbageMs = 5000;

class LoopProbe {
  private readonly file: string;
  private delays: number[] = [];
  private pauses: Pause[] = [];
  private garbage: { startMs: number; endMs: number }[] = [];
  private lastMs = performance.now();
  private lastCpuMs = cpuMs();
  private fromUs = nowUs();

  constructor(file: string) {
    this.file = file;
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries())
        this.garbage.push({ startMs: startTime, endMs: startTime + duration });
    }).observe({ entryTypes: ['gc'] });
    setInterval(() => this.tick(), tickMs).unref();
    setInterval(() => this.write(), writeMs).unref();
  }

  private tick(): void {
    const [now, cpu] = [performance.now(), cpuMs()];
    const late = Math.max(0, now - this.lastMs - tickMs);
    this.delays.push(Math.round(late * 10));
    if (late >= pauseMs) {
      const [fromMs, toMs, busyMs] = [this.lastMs, now, cpu - this.lastCpuMs];
      const pause = { atUs: nowUs(), ms: late, cpuMs: busyMs, fromMs, toMs };
      this.pauses.push(pause);
    }
    this.lastMs = now;
    this.lastCpuMs = cpu;
  }

  /** A second behind, so that the collector's own notes have come. */
  private write(): void {
    const notes: LoopNotes = {
      thread: threadId,
      fromUs: this.fromUs,
      toUs: nowUs(),
      delays: this.delays,
      pauses: this.pauses.map((pause) => ({ ...pause, gcMs: this.garbageWithin(pause) })),
    };
    this.fromUs = notes.toUs;
    this.delays = [];
    this.pauses = [];
    const oldest = performance.now() - keptGarbageMs;
    this.garbage = this.garbage.filter(({ endMs }) => endMs > oldest);
    appendFileSync(this.file, `${JSON.stringify(notes)}\n`);
    // Its own writing is no pause of the program.
    this.lastMs = performance.now();
    this.lastCpuMs = cpuMs();
  }

  private garbageWithin({ fromMs, toMs }: Pause): number {
    return this.garbage.reduce(
      (sum, { startMs, endMs }) => sum + Math.max(0, Math.min(endMs, toMs) - Math.max(startMs, fromMs)),
      0,
    );
  }
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

const file = process.env['BENCH_LOOP_NOTES'];
if (file !== undefined) new LoopProbe(file);
