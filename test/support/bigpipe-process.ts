// The built program as its own process, on free ports and in a directory of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export type Config = Record<string, unknown>;

/** One topic, one name, one group that delivers as fast as it can; tests change what they are about. */
export function baseConfig(changes: Config = {}): Config {
  return {
    'kafka.topics': [{ name: 'test', partitions: 3 }],
    'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test' }],
    'kafka.consumer.list': [baseConsumer()],
    'http.server.host': '127.0.0.1',
    'http.server.port': 0,
    'management.port': 0,
    'egress.allow': ['127.0.0.0/8', '::1'],
    ...changes,
  };
}

export function baseConsumer(changes: Config = {}): Config {
  return {
    topic: 'test',
    groupId: 'G1',
    rateLimit: 100_000,
    timeout: 20_000,
    retries: 2,
    concurrency: 50,
    retryBackoff: { initialMs: 10, maxMs: 50 },
    ...changes,
  };
}

export interface RpcAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly data: string; readonly errno: number; readonly msg: string };
}

export interface Stats {
  readonly clientStats: Record<string, Record<string, number>>;
  readonly consumerStats: readonly Record<string, number | string>[];
  readonly producerStats: Record<string, Record<string, number>>;
  readonly serverStats: Record<string, number>;
  readonly brokerStats?: Record<string, number | string>;
}

export interface StartOptions {
  readonly config?: Config;
  readonly env?: Record<string, string>;
  /** A directory from an earlier process; a new one when absent. */
  readonly directory?: string;
  readonly nodeArgs?: readonly string[];
  /** Another build's main.js. */
  readonly program?: string;
  /** Of its log and of its stderr, the newest; all when absent. */
  readonly keptLines?: number;
}

/** Ends with the test: call `dispose`, which kills what still runs and removes the directory. */
export class BigpipeProcess {
  readonly stderr: string[] = [];
  readonly log: Record<string, unknown>[] = [];
  port = 0;
  managementPort = 0;
  /** 0 where that door is closed. */
  grpcPort = 0;

  readonly child: ChildProcess;
  readonly directory: string;
  readonly exited: Promise<number | NodeJS.Signals>;
  private readonly keptLines: number;

  private constructor(
    child: ChildProcess,
    directory: string,
    exited: Promise<number | NodeJS.Signals>,
    keptLines: number,
  ) {
    this.child = child;
    this.directory = directory;
    this.exited = exited;
    this.keptLines = keptLines;
  }

  /** Resolves once the process runs; rejects when it ends before. */
  static async start(options: StartOptions = {}): Promise<BigpipeProcess> {
    const started = await BigpipeProcess.spawn(options);
    const running = new Promise<void>((resolve) => {
      const onLine = (line: Record<string, unknown>) => {
        if (line['msg'] !== 'bigpipe is running') return;
        started.port = line['port'] as number;
        started.managementPort = line['managementPort'] as number;
        started.grpcPort = Number(line['grpcPort'] ?? 0);
        resolve();
      };
      started.onLine = onLine;
    });
    const ended = started.exited.then((code) => {
      throw new Error(`bigpipe ended with ${code}: ${started.stderr.join('\n')}`);
    });
    await Promise.race([running, ended]);
    ended.catch(() => undefined);
    return started;
  }

  /** Starts the process without waiting for it: for starts that must fail. */
  static async spawn({
    config,
    env,
    directory,
    nodeArgs = [],
    program = main,
    keptLines = Infinity,
  }: StartOptions): Promise<BigpipeProcess> {
    const home = directory ?? (await mkdtemp(join(tmpdir(), 'bigpipe-')));
    const file = join(home, 'bigpipe.json');
    if (config !== undefined || directory === undefined) {
      await writeFile(
        file,
        JSON.stringify({ 'broker.embedded.directory': join(home, 'data'), ...(config ?? baseConfig()) }),
      );
    }
    const child = spawn(process.execPath, ['--enable-source-maps', ...nodeArgs, program, '--config', file], {
      cwd: home,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exited = new Promise<number | NodeJS.Signals>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? (signal as NodeJS.Signals)));
    });
    const started = new BigpipeProcess(child, home, exited, keptLines);
    createInterface({ input: child.stdout }).on('line', (text) => started.logged(text));
    createInterface({ input: child.stderr }).on('line', (text) => started.keep(started.stderr, text));
    return started;
  }

  private onLine: (line: Record<string, unknown>) => void = () => undefined;

  private logged(text: string): void {
    const line = JSON.parse(text) as Record<string, unknown>;
    this.keep(this.log, line);
    this.onLine(line);
  }

  private keep<T>(lines: T[], line: T): void {
    lines.push(line);
    if (lines.length > this.keptLines) lines.shift();
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get management(): string {
    return `http://127.0.0.1:${this.managementPort}`;
  }

  /** POST /rpc/call with the base configuration's name and secret unless the fields say otherwise. */
  async call(fields: Record<string, unknown>): Promise<RpcAnswer> {
    return this.post(
      JSON.stringify({ acl: { name: 'system-1', secret: 'i am good' }, partition_key: '', data: '', ...fields }),
    );
  }

  async post(body: string | Buffer | undefined, headers: Record<string, string> = {}): Promise<RpcAnswer> {
    const init: RequestInit = { method: 'POST', headers };
    if (body !== undefined) init.body = typeof body === 'string' ? body : new Uint8Array(body);
    const response = await fetch(`${this.origin}/rpc/call`, init);
    return { status: response.status, headers: response.headers, body: (await response.json()) as RpcAnswer['body'] };
  }

  async stats(): Promise<Stats> {
    const answer = (await (await fetch(`${this.origin}/stats`)).json()) as { data: Stats };
    return answer.data;
  }

  /** Sends the signal and resolves to the exit code, or to the signal's name when that ended the process. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.exited;
  }

  async dispose(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }
}
