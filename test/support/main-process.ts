// The built program started with any command line, environment and working directory: for what the start itself does.
import { type ChildProcess, spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const dist = new URL('../../dist/', import.meta.url);
const script = fileURLToPath(new URL('../../start.sh', import.meta.url));

export interface MainOptions {
  readonly cwd: string;
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Of the build; main.js if absent. */
  readonly program?: string;
  /** By start.sh, which has its own ways of starting main.js. */
  readonly byScript?: boolean;
}

export interface Ended {
  readonly code: number | NodeJS.Signals;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** The log line that says that the process runs. */
export interface RunningLine {
  readonly port: number;
  readonly managementPort: number;
  readonly file: string;
}

/** Nothing of the test run's own environment that bigpipe would read. */
const cleanEnv = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BIGPIPE_')));

export class MainProcess {
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly ended: Promise<Ended>;
  private readonly child: ChildProcess;

  constructor({ cwd, args = [], env = {}, program = 'main.js', byScript = false }: MainOptions) {
    const direct = ['--enable-source-maps', fileURLToPath(new URL(program, dist)), ...args];
    const [command, words] = byScript ? [script, args] : [process.execPath, direct];
    const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
    const child = spawn(command, words, {
      cwd,
      env: { ...cleanEnv(), PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.stdout.push(text);
      if (text.includes('"bigpipe is running"')) this.onRunning(JSON.parse(text) as RunningLine);
    });
    createInterface({ input: child.stderr }).on('line', (text) => this.stderr.push(text));
    this.ended = new Promise((resolve) => {
      // Unlike exit, close comes after the last line.
      child.once('close', (code, signal) => {
        resolve({ code: code ?? (signal as NodeJS.Signals), stdout: this.stdout, stderr: this.stderr });
      });
    });
    this.running = new Promise((resolve, reject) => {
      this.onRunning = resolve;
      void this.ended.then(({ code }) => reject(new Error(`bigpipe ended with ${code}: ${this.stderr.join('\n')}`)));
    });
    this.running.catch(() => undefined);
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Rejects when the process ends before. */
  readonly running: Promise<RunningLine>;
  private onRunning: (line: RunningLine) => void = () => undefined;

  async end(signal: NodeJS.Signals): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.ended;
  }
}
