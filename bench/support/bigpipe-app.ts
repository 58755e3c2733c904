// The built program as a process of its own, on free ports, started as a user's is: by start.sh.
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { callAcl, sampleData } from './call-body.ts';

const start = fileURLToPath(new URL('../../start.sh', import.meta.url));
const defaultStartWithinMs = 120_000;
const stopWithinMs = 90_000;
const reloadWithinMs = 30_000;
const embeddedTopic = 'bench';
/** pino's level. */
const warning = 40;
const keptComplaints = 1000;

export interface AppOptions {
  /** Where configuration and data are; a second start with the same one goes on with what is there. */
  readonly directory: string;
  /** Requests in flight to receivers; null: nobody delivers yet. */
  readonly concurrency: number | null;
  readonly nodeArgs: readonly string[];
  /** Of its environment besides. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the topic. */
  readonly partitions?: number;
  /** What the subscription says besides: keys of a kafka.consumer.list entry. */
  readonly consumer?: Readonly<Record<string, unknown>>;
  /** What the caller's entry says besides. */
  readonly caller?: object;
  /** The broker is this Kafka, else the embedded one. */
  readonly kafka?: { readonly servers: string; readonly topic: string };
  /** Its inspector listens. */
  readonly isInspected?: boolean;
  /** Started with --small, as where memory is scarce. */
  readonly isSmall?: boolean;
  /** How long its start may take. */
  readonly startWithinMs?: number;
  /** Of its configuration besides. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Of /stats. */
export interface AppStats {
  readonly configStats: { readonly reloads: number; readonly changed: number; readonly refused: number };
  readonly consumerStats: readonly { readonly handleMessage: number }[];
  /** On Kafka: what each group's member has. */
  readonly brokerStats: { readonly members?: readonly { readonly assigned: readonly string[] }[] };
}

interface Ports {
  readonly port: number;
  readonly managementPort: number;
  /** 0: that door is not open. */
  readonly grpcPort?: number;
}

export class BigpipeApp {
  readonly port: number;
  readonly managementPort: number;
  readonly grpcPort: number;
  /** Its warnings, and what it wrote to stderr: a good run has none. */
  readonly complaints: readonly string[];
  /** The text of its configuration as it was at the start. */
  readonly config: string;
  /** Where its inspector listens, a WebSocket's address; empty where it does not. */
  readonly inspector: string;
  private readonly file: string;
  private readonly durability: string;
  private readonly child: ChildProcess;

  private constructor(
    child: ChildProcess,
    { port, managementPort, grpcPort = 0 }: Ports,
    complaints: readonly string[],
    { file, config, durability, inspector }: Record<'file' | 'config' | 'durability' | 'inspector', string>,
  ) {
    this.child = child;
    this.file = file;
    this.config = config;
    this.durability = durability;
    this.inspector = inspector;
    this.port = port;
    this.managementPort = managementPort;
    this.grpcPort = grpcPort;
    this.complaints = complaints;
  }

  static async start(options: AppOptions): Promise<BigpipeApp> {
    const { directory, env = {}, startWithinMs = defaultStartWithinMs } = options;
    const nodeArgs = [...options.nodeArgs, ...(options.isInspected === true ? ['--inspect=127.0.0.1:0'] : [])];
    const file = join(directory, 'bigpipe.json');
    const config = JSON.stringify(configOf(options));
    await writeFile(file, config);
    const child = spawn(start, [...(options.isSmall === true ? ['--small'] : []), '--config', file], {
      cwd: directory,
      env: { ...environment(), ...env, ...runtime(nodeArgs) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const complaints: string[] = [];
    let inspector = '';
    createInterface({ input: child.stderr }).on('line', (line) => {
      inspector ||= /^Debugger listening on (ws:\S+)/.exec(line)?.[1] ?? '';
      if (!/^(Debugger |For help, see: )/.test(line)) complaints.push(line);
    });
    try {
      const durability = options.kafka === undefined ? 'disk' : 'replicas';
      const ports = await portsOf(child, complaints, startWithinMs);
      return new BigpipeApp(child, ports, complaints, { file, config, durability, inspector });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Makes one call and checks that the answer promises what is to be measured. */
  async checkDurable(callUrl: string): Promise<void> {
    const call = { url: callUrl, partition_key: 'user-0', acl: callAcl, data: sampleData() };
    const init = { method: 'POST', body: JSON.stringify(call) };
    const answer = await fetch(`http://127.0.0.1:${this.port}/rpc/call`, init);
    await answer.text();
    assert.equal(answer.headers.get('bigpipe-durability'), this.durability);
  }

  async stats(): Promise<AppStats> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/stats`);
    return ((await answer.json()) as { data: AppStats }).data;
  }

  /** Writes the configuration's file over and resolves once the program has read it again. */
  async reload(text: string): Promise<void> {
    const before = (await this.stats()).configStats.reloads;
    await writeFile(this.file, text);
    const end = performance.now() + reloadWithinMs;
    while ((await this.stats()).configStats.reloads === before) {
      if (performance.now() > end) throw new Error('the configuration was not read again');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Freezes the process, so that a reference has the machine to itself. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Drains as a user's stop does; killed when that takes too long. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.thaw();
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), stopWithinMs);
    await exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

/** This process's Node comes first in the path; what it is told beside what start.sh says. */
const runtime = (nodeArgs: readonly string[]) => ({
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`,
  NODE_OPTIONS: nodeArgs.map((arg) => JSON.stringify(arg)).join(' '),
});

/** Of this process, without what would change the settings. */
const environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BIGPIPE|OTEL)_/.test(name)));

/** Resolves once the program says that it runs; everything it writes is read, so that it never waits for us. */
function portsOf(child: ChildProcess, complaints: string[], startWithinMs: number): Promise<Ports> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('bigpipe did not start in time')), startWithinMs);
    child.once('exit', (code) => reject(new Error(`bigpipe ended with ${code}: ${complaints.join('\n')}`)));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      const line = JSON.parse(text) as Ports & { level: number; msg: string };
      if (line.level >= warning && complaints.length < keptComplaints) complaints.push(text);
      if (line.msg !== 'bigpipe is running') return;
      clearTimeout(timer);
      resolve(line);
    });
  });
}

function configOf({
  directory,
  concurrency,
  partitions = 8,
  consumer: changes = {},
  caller = {},
  kafka,
  settings,
}: AppOptions): object {
  const topic = kafka?.topic ?? embeddedTopic;
  const limits = { rateLimit: 1_000_000, timeout: 60_000, retries: 2, concurrency };
  const consumer = { topic, groupId: topic, ...limits, ...changes };
  const broker =
    kafka === undefined
      ? { 'broker.embedded.directory': join(directory, 'data') }
      : { 'broker.driver': 'kafka', 'kafka.bootstrap.servers': kafka.servers };
  return {
    'kafka.topics': [{ name: topic, partitions }],
    'kafka.producer.acl': [{ ...callAcl, topic, ...caller }],
    'kafka.consumer.list': concurrency === null ? [] : [consumer],
    'http.server.host': '127.0.0.1',
    'http.server.port': 0,
    'management.port': 0,
    'egress.allow': ['127.0.0.0/8'],
    ...broker,
    ...settings,
  };
}
