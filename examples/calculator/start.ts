// One command for all of it: the bus, the worker (another one whenever it dies), the service in front. Ends with a signal.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { port: { type: 'string', default: '10000' } } });
const respawnMs = 200;
const place = (file: string) => fileURLToPath(new URL(file, import.meta.url));

const running = new Set<ChildProcess>();
let isEnding = false;

/** Its lines are shown, save what `ready` takes; it resolves to the first text that `ready` gives. Rejects when it ends before. */
function start(args: readonly string[], env: NodeJS.ProcessEnv, ready: (line: string) => string | null) {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  const found = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = ready(line);
      if (told === null) process.stdout.write(`${line}\n`);
      else if (told !== '') resolve(told);
    });
    void ended.then(() => reject(new Error(`${args[0]} has ended`)));
  });
  return { ended, ready: found };
}

async function freePort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `${port}`;
}

/** There is always one, on the same port. */
async function keepWorker(port: string, env: NodeJS.ProcessEnv): Promise<void> {
  while (!isEnding) {
    const worker = start([place('worker.ts'), port], env, () => null);
    worker.ready.catch(() => undefined);
    await worker.ended;
    if (!isEnding) await new Promise((resolve) => setTimeout(resolve, respawnMs));
  }
}

/** bigpipe's log is JSON, of which two ports are wanted, and warnings (40) are shown. */
function busIn(line: string): string | null {
  const { msg, level, grpcPort, managementPort } = JSON.parse(line) as Record<string, string>;
  if (msg !== 'bigpipe is running') return Number(level) >= 40 ? null : '';
  process.stdout.write(`the bus: gRPC ${grpcPort}, management http://127.0.0.1:${managementPort}\n`);
  return `127.0.0.1:${grpcPort}`;
}

async function end(): Promise<void> {
  isEnding = true;
  for (const child of running) child.kill('SIGTERM');
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end());
// However it ends, nothing of it goes on; nobody reads any more what is shown.
process.once('exit', () => void end());
process.stdout.once('error', () => void end());
const workerPort = await freePort();
const env = {
  ...process.env,
  CALCULATOR_SECRET: process.env['CALCULATOR_SECRET'] ?? randomBytes(24).toString('base64url'),
  CALCULATOR_WORKER_PORT: workerPort,
  // Without one, replies come back through the memory of the one bus there is.
  ...(process.env['REDIS_URL'] === undefined ? {} : { BIGPIPE_REDIS_URL: process.env['REDIS_URL'] }),
};
try {
  void keepWorker(workerPort, env);
  const bus = start([place('../../dist/main.js'), '--config', place('bigpipe.json')], env, busIn);
  const front = start([place('front.ts'), values.port, await bus.ready], env, () => null);
  front.ready.catch(() => undefined);
  // Without either nothing can be calculated.
  await Promise.race([bus.ended, front.ended]);
} finally {
  await end();
}
