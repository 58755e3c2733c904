// What a nemesis can lay hands on: the program, its files, its receivers, the books and the log of the run.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BigpipeProcess, type Config } from '../bigpipe-process.ts';
import { Seeded } from '../seeded.ts';
import { hasConnections } from '../sockets.ts';
import { until } from '../until.ts';
import { Books } from './books.ts';
import { type Behaviour, ChaosReceiver, wellBehaved } from './receiver.ts';

/** A topic of the run, with the one subscription that delivers it: keys of a kafka.consumer.list entry. */
export interface ChaosTopic {
  readonly name: string;
  readonly partitions: number;
  readonly consumer: Config;
  /** Of its calls, from 0 to 1. */
  readonly keyedShare: number;
}

export interface WorldSettings {
  readonly seed: number;
  readonly topics: readonly ChaosTopic[];
  readonly receivers: number;
  readonly bodyBytes: number;
  /** Answers of well receivers come after a random wait of at most so many milliseconds. */
  readonly answerMs?: number;
  /** Where its files are; a new temporary directory when absent. */
  readonly directory?: string;
  /** Settings of the program beside topics and consumers. */
  readonly config?: Config;
  readonly env?: Record<string, string>;
  readonly nodeArgs?: readonly string[];
  /** Another build's main.js. */
  readonly program?: string;
  readonly keptDeliveries?: number;
  /** Told of each event of the run. */
  readonly say?: (line: string) => void;
}

export const groupId = 'G1';
export const secret = 'i am good';
/** What is kept of the program's own log, and of the run's. */
const keptLines = 2000;
/** Retries that no run uses up. */
const many = 100;
const startWithinMs = 120_000;

export class World {
  readonly settings: WorldSettings;
  readonly books: Books;
  readonly random: Seeded;
  readonly receivers: ChaosReceiver[] = [];
  readonly lines: string[] = [];
  /** Exit codes after SIGTERM. */
  readonly exitCodes: (number | NodeJS.Signals)[] = [];
  /** What the program says that it did with the files that a nemesis wrote while it ran. */
  readonly reloads = { reloads: 0, changed: 0, refused: 0, adjustFailed: 0 };
  /** What restores the world at the end of the run, newest last. */
  readonly undo: (() => Promise<void>)[] = [];
  /** What is done once the program has ended for good, newest last. */
  readonly cleanup: (() => Promise<void>)[] = [];
  /** Of the program, beside the run's own. */
  readonly env: Record<string, string> = {};
  home = '';
  private readonly startedMs = performance.now();
  private process: BigpipeProcess | null = null;

  constructor(settings: WorldSettings) {
    this.settings = settings;
    this.random = new Seeded(settings.seed);
    const { keptDeliveries = 200_000, topics } = settings;
    const givingUp = new Set(
      topics.filter(({ consumer }) => Number(consumer['retries']) < many).map(({ name }) => name),
    );
    this.books = new Books({ givingUp, keptDeliveries, now: () => performance.now() });
  }

  get dataDirectory(): string {
    return join(this.home, 'data');
  }

  get configFile(): string {
    return join(this.home, 'bigpipe.json');
  }

  /** How receivers behave that nothing has happened to. */
  get calm(): Behaviour {
    return { ...wellBehaved, delayMs: this.settings.answerMs ?? 0 };
  }

  /** Null while none runs. */
  get bigpipe(): BigpipeProcess | null {
    return this.process;
  }

  /** Before nemeses prepare. */
  async makeHome(): Promise<void> {
    this.home = this.settings.directory ?? (await mkdtemp(join(tmpdir(), 'bigpipe-chaos-')));
    await mkdir(this.dataDirectory, { recursive: true });
  }

  async open(): Promise<void> {
    const { receivers, bodyBytes } = this.settings;
    for (let i = 0; i < receivers; i += 1) {
      const receiver = await ChaosReceiver.start(i, this.books, this.random.part(`receiver ${i}`), bodyBytes);
      await receiver.become(this.calm);
      this.receivers.push(receiver);
    }
    await this.start();
  }

  note(text: string): void {
    const line = `${((performance.now() - this.startedMs) / 1000).toFixed(1).padStart(8)} s  ${text}`;
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    this.settings.say?.(line);
  }

  /** What the settings say, with these changes of every subscription. */
  config(changes: Config = {}): Config {
    const { topics, config } = this.settings;
    return {
      'kafka.topics': topics.map(({ name, partitions }) => ({ name, partitions })),
      'kafka.producer.acl': topics.map(({ name }) => ({ name, secret, topic: name })),
      'kafka.consumer.list': topics.map(({ name, consumer }) => ({
        topic: name,
        groupId,
        rateLimit: 100_000,
        concurrency: 50,
        ...consumer,
        ...changes,
      })),
      'http.server.host': '127.0.0.1',
      'http.server.port': 0,
      'management.port': 0,
      'egress.allow': ['127.0.0.0/8'],
      'broker.embedded.directory': this.dataDirectory,
      ...config,
    };
  }

  writeConfig(config: Config): Promise<void> {
    return writeFile(this.configFile, JSON.stringify(config));
  }

  /** Throws when it does not start. */
  async start(): Promise<void> {
    const { nodeArgs = [], program } = this.settings;
    await this.writeConfig(this.config());
    const env = { ...this.settings.env, ...this.env };
    const starting = BigpipeProcess.start({
      directory: this.home,
      nodeArgs,
      keptLines,
      env,
      ...(program === undefined ? {} : { program }),
    });
    let started: BigpipeProcess | null = null;
    const failed = starting.then((process) => {
      started = process;
      return null;
    }, String);
    const bound = until('the program has started', () => started, startWithinMs).then(() => null);
    const error = await Promise.race([failed, bound]);
    if (error !== null) throw new Error(error);
    this.process = started;
    this.books.started();
  }

  /** kill -9, and until nothing of it is left on the way to a receiver. */
  async kill(): Promise<void> {
    const { process } = this;
    if (process === null) return;
    this.process = null;
    process.child.kill('SIGKILL');
    this.books.killed();
    await process.exited;
    await until('its connections are gone', async () => {
      const ports = this.receivers.map(({ url }) => Number(new URL(url).port));
      return !(await Promise.all(ports.map(hasConnections))).includes(true);
    });
  }

  /** SIGTERM; notes the exit code. Callers find it gone from the signal on. */
  async terminate(): Promise<number | NodeJS.Signals> {
    const { process } = this;
    if (process === null) throw new Error('no program runs');
    const code = await process.end('SIGTERM');
    this.process = null;
    this.exitCodes.push(code);
    if (code !== 0) this.note(`SIGTERM ended with ${code}: ${process.stderr.slice(-3).join(' | ')}`);
    return code;
  }

  /** An answer of the management listener; null when it cannot be had now. Asked too often, it is asked again. */
  async manage(method: string, path: string, body?: object): Promise<unknown> {
    for (;;) {
      const { process } = this;
      if (process === null) return null;
      try {
        const init = { method, headers: { 'content-type': 'application/json' }, signal: AbortSignal.timeout(10_000) };
        const response = await fetch(
          `${process.management}${path}`,
          body === undefined ? { method, signal: init.signal } : { ...init, body: JSON.stringify(body) },
        );
        const text = await response.text();
        if (response.status === 429) await new Promise((resolve) => setTimeout(resolve, 50));
        else return response.ok ? JSON.parse(text) : null;
      } catch {
        return null;
      }
    }
  }

  /** Everything as it was before any nemesis came. */
  async restore(): Promise<void> {
    for (const undo of this.undo.splice(0).reverse()) await undo();
    for (const receiver of this.receivers) await receiver.become(this.calm);
    if (this.process === null) await this.start();
  }

  async close(): Promise<void> {
    for (const undo of this.undo.splice(0).reverse()) await undo().catch(() => undefined);
    const { process } = this;
    this.process = null;
    if (process !== null) await process.end('SIGKILL');
    for (const receiver of this.receivers) await receiver.close();
    for (const clean of this.cleanup.splice(0).reverse()) await clean();
    await rm(this.home, { recursive: true, force: true });
  }
}
