// What a scenario works with: processes and directories that all end with it, however it ends.
import { strict as assert } from 'node:assert';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BenchKafka } from './bench-kafka.ts';
import { type AppOptions, BigpipeApp } from './bigpipe-app.ts';
import { addressOf, callTopic, defaultUsers, type Spread } from './call-body.ts';
import { HelperProcess } from './helper-process.ts';
import type {
  AppendCommands,
  BareHttpCommands,
  Behaviour,
  ClosedLoad,
  Commands,
  ConsumerCommands,
  FillCommands,
  KafkaAppendCommands,
  LoadCommands,
  LoadResult,
  PullerCommands,
  ReceiverCommands,
  ScriptedReceiverCommands,
  SenderCommands,
  TargetCommands,
} from './protocol.ts';
import { SlowProcessors } from './slow-processors.ts';

export type LoadGenerator = HelperProcess<LoadCommands>;
export type ScriptedReceiver = HelperProcess<ScriptedReceiverCommands>;

/** Written out, so that tools that look for unused files see them. */
const processFiles = {
  'bare-consumer': new URL('../processes/bare-consumer.ts', import.meta.url),
  'bare-http': new URL('../processes/bare-http.ts', import.meta.url),
  'bare-kafkajs': new URL('../processes/bare-kafkajs.ts', import.meta.url),
  'bare-undici': new URL('../processes/bare-undici.ts', import.meta.url),
  'http-target': new URL('../processes/http-target.ts', import.meta.url),
  'embedded-fill': new URL('../processes/embedded-fill.ts', import.meta.url),
  'embedded-append': new URL('../processes/embedded-append.ts', import.meta.url),
  'kafka-append': new URL('../processes/kafka-append.ts', import.meta.url),
  'load-generator': new URL('../processes/load-generator.ts', import.meta.url),
  puller: new URL('../processes/puller.ts', import.meta.url),
  'raw-append': new URL('../processes/raw-append.ts', import.meta.url),
  receiver: new URL('../processes/receiver.ts', import.meta.url),
  'scripted-receiver': new URL('../processes/scripted-receiver.ts', import.meta.url),
};
const probing = [`--import=${new URL('../processes/loop-probe.ts', import.meta.url).href}`];
const loopNotesVariable = 'BENCH_LOOP_NOTES';
const noTimeBound = 170_000;
const callsAtOnce = 200_000;

type LabAppOptions = Omit<AppOptions, 'nodeArgs'> & { readonly loopNotes?: string };
type Log = Pick<AppOptions, 'partitions' | 'kafka'>;

/** How far the largest scenarios go; null: as far as the issue of them asks, or a tenth of it when it is to be quick. */
export interface Sizes {
  /** Of what grows; points above it are left out. */
  readonly most: number | null;
  /** Of growth: the points that are measured, the first of which the others are compared with; null: all. */
  readonly points: readonly number[] | null;
  /** Of growth: which of them; null: all. */
  readonly axes: readonly string[] | null;
  /** Of a backlog that stands. */
  readonly backlogBytes: number | null;
  /** How long everything is dead. */
  readonly minutes: number | null;
}

export interface LabOptions {
  /** A directory on the file system that is measured. */
  readonly base: string;
  /** Fewer and shorter windows, for trying. */
  readonly quick: boolean;
  /** Where CPU profiles of the program go; the figures then say little. */
  readonly profiles: string | null;
  readonly sizes: Sizes;
  readonly say: (text: string) => void;
}

export class Lab {
  readonly quick: boolean;
  readonly sizes: Sizes;
  readonly say: (text: string) => void;
  private readonly options: LabOptions;
  private readonly helpers: { stop(): Promise<void> }[] = [];
  private readonly apps: BigpipeApp[] = [];
  private readonly directories: string[] = [];
  private readonly kafkas: BenchKafka[] = [];
  private readonly slows: SlowProcessors[] = [];
  private nextSequence = 1;

  constructor(options: LabOptions) {
    this.options = options;
    this.quick = options.quick;
    this.sizes = options.sizes;
    this.say = options.say;
  }

  async directory(): Promise<string> {
    await mkdir(this.options.base, { recursive: true });
    const directory = await mkdtemp(join(this.options.base, 'bigpipe-bench-'));
    this.directories.push(directory);
    return directory;
  }

  /** `loopNotes`: into this file goes how late the program's event loops are. */
  async app({ loopNotes, ...options }: LabAppOptions): Promise<BigpipeApp> {
    const { env = {} } = options;
    const probed: Record<string, string> = loopNotes === undefined ? {} : { [loopNotesVariable]: loopNotes };
    const nodeArgs = [...this.profiling, ...(loopNotes === undefined ? [] : probing)];
    const app = await BigpipeApp.start({ ...options, nodeArgs, env: { ...env, ...probed } });
    this.apps.push(app);
    return app;
  }

  async kafka(): Promise<BenchKafka> {
    const kafka = await BenchKafka.start(await this.directory());
    this.kafkas.push(kafka);
    return kafka;
  }

  generator(): LoadGenerator {
    return this.helper<LoadCommands>('load-generator');
  }

  async receiver(delayMs: number): Promise<{ receiver: HelperProcess<ReceiverCommands>; origin: string }> {
    const receiver = this.helper<ReceiverCommands>('receiver');
    const { port } = await receiver.call('open', { delayMs, host: '127.0.0.1' });
    return { receiver, origin: `http://127.0.0.1:${port}` };
  }

  /** The same under every loopback address; its origin is the first destination's. */
  async receiverOfMany(delayMs: number): Promise<{ receiver: HelperProcess<ReceiverCommands>; origin: string }> {
    const receiver = this.helper<ReceiverCommands>('receiver');
    const { port } = await receiver.call('open', { delayMs, host: '0.0.0.0' });
    return { receiver, origin: `http://${addressOf(0)}:${port}` };
  }

  /** Under every loopback address; its origin is the first destination's. */
  async scriptedReceiver(behaviour: Behaviour): Promise<{ receiver: ScriptedReceiver; origin: string }> {
    const receiver = this.helper<ScriptedReceiverCommands>('scripted-receiver');
    const { port } = await receiver.call('open', behaviour);
    return { receiver, origin: `http://${addressOf(0)}:${port}` };
  }

  async bareHttp(syncFile: string | null): Promise<{ server: HelperProcess<BareHttpCommands>; port: number }> {
    const server = this.helper<BareHttpCommands>('bare-http');
    const { port } = await server.call('open', { syncFile, sharedPort: null });
    return { server, port };
  }

  /** Several processes on one port; the system shares the connections out. */
  async bareHttps(processes: number): Promise<{ pids: readonly number[]; port: number }> {
    const servers = Array.from({ length: processes }, () => this.helper<BareHttpCommands>('bare-http'));
    let port = 0;
    for (const server of servers) ({ port } = await server.call('open', { syncFile: null, sharedPort: port }));
    return { pids: servers.map(({ pid }) => pid), port };
  }

  /** A process that does nothing but note how late its event loop is: the machine's own pauses. */
  idler(loopNotes: string): void {
    this.helpers.push(new HelperProcess(processFiles['bare-http'], probing, { [loopNotesVariable]: loopNotes }));
  }

  /** Made of shares of this machine's; who is held to them is let go with the lab. */
  slowProcessors(share: number): SlowProcessors {
    const slow = new SlowProcessors(share);
    this.slows.push(slow);
    return slow;
  }

  sender(): HelperProcess<SenderCommands> {
    return this.helper<SenderCommands>('bare-undici');
  }

  puller(): HelperProcess<PullerCommands> {
    return this.helper<PullerCommands>('puller');
  }

  target(): HelperProcess<TargetCommands> {
    return this.helper<TargetCommands>('http-target');
  }

  appender(kind: 'raw-append' | 'embedded-append'): HelperProcess<AppendCommands> {
    return this.helper<AppendCommands>(kind);
  }

  kafkaAppender(kind: 'bare-kafkajs' | 'kafka-append'): HelperProcess<KafkaAppendCommands> {
    return this.helper<KafkaAppendCommands>(kind);
  }

  bareConsumer(): HelperProcess<ConsumerCommands> {
    return this.helper<ConsumerCommands>('bare-consumer');
  }

  /** Calls of the scenario are numbered from 1 on, so that the receiver can tell repeats. */
  async makeCalls(
    generator: LoadGenerator,
    load: Pick<ClosedLoad, 'port' | 'connections' | 'callUrl' | 'door' | 'bytes' | 'topics'> & {
      count?: number;
      durationMs?: number;
    } & Partial<Spread>,
  ): Promise<LoadResult> {
    const { count = Number.MAX_SAFE_INTEGER, durationMs = noTimeBound, ...target } = load;
    const { users = defaultUsers, destinations = 1 } = load;
    const request = { ...target, count, durationMs, users, destinations, firstSequence: this.nextSequence };
    const result = await generator.call('closed', request);
    this.nextSequence += result.accepted + result.refused;
    if (result.refused > 0) throw new Error(`${result.refused} calls were not accepted, such as: ${result.sample}`);
    return result;
  }

  /** Starts the program without its consumer, makes `count` calls, and stops it: they lie in its log now. */
  async fill(directory: string, callUrl: string, count: number, how: Partial<Spread> & Log = {}): Promise<void> {
    const { partitions, kafka, ...over } = how;
    const log = { ...(partitions === undefined ? {} : { partitions }), ...(kafka === undefined ? {} : { kafka }) };
    const app = await this.app({ directory, concurrency: null, ...log });
    const generator = this.generator();
    // In parts, so that a busy machine gets through each of them within a command's time.
    for (let made = 0; made < count; made += callsAtOnce) {
      const part = Math.min(callsAtOnce, count - made);
      const { accepted } = await this.makeCalls(generator, {
        port: app.port,
        connections: 128,
        callUrl,
        count: part,
        ...over,
      });
      assert.equal(accepted, part);
    }
    await generator.stop();
    await app.stop();
  }

  /** The same straight into the log of a program that does not run, without its door and without a sync: millions in a minute. */
  async fillLog(
    directory: string,
    what: { callUrl: string; count: number; users: number; bytes: number },
  ): Promise<void> {
    const filler = this.helper<FillCommands>('embedded-fill');
    await filler.call('open', { directory: join(directory, 'data'), topic: callTopic, partitions: 8 });
    for (let made = 0; made < what.count; made += callsAtOnce) {
      const count = Math.min(callsAtOnce, what.count - made);
      await filler.call('fill', { ...what, count, firstSequence: this.nextSequence });
      this.nextSequence += count;
    }
    await filler.call('close', null);
    await filler.stop();
  }

  async close(): Promise<void> {
    for (const slow of this.slows) slow.letGo();
    // A profile is only written by a process that ends by itself.
    if (this.options.profiles === null) for (const app of this.apps) app.kill();
    await Promise.all(this.apps.map((app) => app.stop()));
    for (const { complaints } of this.apps) {
      if (complaints.length > 0) this.say(`bigpipe complained ${complaints.length} times, first: ${complaints[0]}`);
    }
    await Promise.all(this.helpers.map((helper) => helper.stop()));
    await Promise.all(this.kafkas.map((kafka) => kafka.stop()));
    for (const slow of this.slows) await slow.remove();
    for (const directory of this.directories) await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }

  private get profiling(): readonly string[] {
    const { profiles } = this.options;
    return profiles === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(profiles)}`];
  }

  private helper<C extends Commands<C>>(name: keyof typeof processFiles): HelperProcess<C> {
    const helper = new HelperProcess<C>(processFiles[name], name.endsWith('-append') ? this.profiling : []);
    this.helpers.push(helper);
    return helper;
  }
}
