// A real Redis on a free port that a test may stop and start, from the redis-server of the machine.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { freePorts } from '../../kafka/local-cluster.ts';
import { until } from './until.js';

/** Says aloud what is not tested without it. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) console.log('SKIPPED: redis-server is not there, what needs a Redis is not tested');

export class RedisServer {
  private process: ChildProcess | null = null;

  private constructor(private readonly port: number) {}

  static async start(): Promise<RedisServer> {
    const server = new RedisServer((await freePorts(1))[0] as number);
    await server.begin();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** With nothing in it. Resolves when it answers. */
  async begin(): Promise<void> {
    const args = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.process = spawn('redis-server', args, { stdio: 'ignore' });
    await until('Redis answers', () => this.answers());
  }

  async kill(): Promise<void> {
    const { process } = this;
    this.process = null;
    if (process === null) return;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGKILL');
    await ended;
  }

  /** It holds its connections and answers nothing. */
  freeze(): void {
    this.process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.process?.kill('SIGCONT');
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write('PING\r\n'));
      const end = (answered: boolean) => {
        socket.destroy();
        resolve(answered);
      };
      socket.once('data', (data) => end(data.toString().startsWith('+PONG')));
      socket.once('error', () => end(false));
      socket.setTimeout(1000, () => end(false));
    });
  }
}
