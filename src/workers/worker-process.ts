// One worker as the main process sees it: a child process with a link for appends and a channel for all else.
import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import type { Clock } from '../message/clock.js';
import { type Answerers, ControlChannel, type Sections } from './control-channel.js';

const program = new URL('../door-worker.js', import.meta.url);
/** The link's place among the child's streams. */
export const linkFd = 4;

export interface WorkerEvents {
  /** One line of its log. */
  line(row: string): void;
  /** The process is gone, for whatever reason; called once. */
  ended(why: string): void;
}

export class WorkerProcess {
  readonly channel: ControlChannel;
  /** What it told last of its counters. */
  counted: Sections = {};
  /** For how many looks of its supervisor it has told nothing. */
  silent = 0;
  state: 'starting' | 'serving' | 'draining' = 'starting';
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  private readonly child: ChildProcess;
  /** Of Clock.elapsedMs; null before its listener is open. */
  private servingSinceMs: number | null = null;

  /** `number` is 1 to the number of workers; a replacement has the same. */
  constructor(
    readonly number: number,
    private readonly clock: Clock,
    answerers: Answerers,
    events: WorkerEvents,
  ) {
    this.child = fork(program, {
      // What it prints when it breaks goes where our own goes.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc', 'pipe'],
      // Bytes travel as bytes.
      serialization: 'advanced',
    });
    this.channel = new ControlChannel(this.child, clock, {
      ...answerers,
      counted: async (sections) => {
        this.counted = sections;
        this.silent = 0;
        return null;
      },
    });
    if (this.child.stdout !== null) createInterface({ input: this.child.stdout }).on('line', (row) => events.line(row));
    this.gone = new Promise((resolve) => {
      const over = (why: string) => {
        this.channel.close();
        resolve();
        events.ended(why);
      };
      this.child.once('exit', (code, signal) => over(signal === null ? `code ${code}` : `signal ${signal}`));
      this.child.once('error', (error) => {
        // It could not be started, or not be killed; only the first is its end.
        if (this.child.pid === undefined) over(error.message);
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Its listener is open. */
  serves(): void {
    this.servingSinceMs = this.clock.elapsedMs();
    if (this.state === 'starting') this.state = 'serving';
  }

  /** For how long its listener has been open. */
  get servedMs(): number {
    return this.servingSinceMs === null ? 0 : this.clock.elapsedMs() - this.servingSinceMs;
  }

  get connections(): number {
    return (this.counted['workerStats'] as { connections: number } | undefined)?.connections ?? 0;
  }

  /** Carries appends in and their answers out. */
  get link(): Duplex {
    return this.child.stdio[linkFd] as unknown as Duplex;
  }

  /** Takes the channel away, which ends a worker that still turns its event loop. */
  letGo(): void {
    if (this.child.connected) this.child.disconnect();
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}
