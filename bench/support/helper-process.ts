// Starts a helper process of the bench and talks to it; the helper ends with the bench.
import { type ChildProcess, fork } from 'node:child_process';
import type { Commands } from './protocol.ts';

/** No command takes longer, else the bench would hang with its helper. */
const answerWithinMs = 180_000;

interface Reply {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

export class HelperProcess<C extends Commands<C>> {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  private readonly isProfiled: boolean;
  private lastId = 0;

  constructor(file: URL, nodeArgs: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    this.isProfiled = nodeArgs.length > 0;
    this.child = fork(file, {
      execArgv: [...process.execArgv, ...nodeArgs],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.child.on('message', (reply: Reply) => this.settle(reply));
    this.child.once('exit', (code, signal) => this.failAll(new Error(`${file.pathname} ended with ${code ?? signal}`)));
    this.child.once('error', (error) => this.failAll(error));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  call<K extends keyof C & string>(command: K, request: C[K]['request']): Promise<C[K]['answer']> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${command} was not answered in time`)), answerWithinMs);
      const settled = () => {
        clearTimeout(timer);
        this.waiting.delete(id);
      };
      this.waiting.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.child.send({ id, command, request });
    });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.child.once('exit', resolve));
    // A profile is only written by a process that ends by itself.
    if (this.isProfiled) this.child.disconnect();
    else this.child.kill('SIGKILL');
    await exited;
  }

  private settle({ id, answer, error }: Reply): void {
    const waiting = this.waiting.get(id);
    if (error === undefined) waiting?.resolve(answer as never);
    else waiting?.reject(new Error(error));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
  }
}
