// One command for all of it: the bus, the membership service, and the payments service, another one whenever it dies.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '10001' }, directory: { type: 'string' } },
});
const directory = values.directory ?? mkdtempSync(join(tmpdir(), 'payments-'));
const place = (file: string) => fileURLToPath(new URL(file, import.meta.url));
const respawnMs = 100;

const running = new Set<ChildProcess>();
let isEnding = false;

/** Resolves once `ready` finds in a line what it looks for; lines that are no JSON are shown. */
function start(args: readonly string[], ready: (line: string) => string | null) {
  const env = { ...process.env, BIGPIPE_DATA_DIR: join(directory, 'bus') };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  const found = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = ready(line);
      if (told !== null) resolve(told);
      if (!line.startsWith('{')) process.stdout.write(`${line}\n`);
    });
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

function portIn(line: string): string | null {
  const { msg, port } = JSON.parse(line) as Record<string, unknown>;
  return msg === 'bigpipe is running' ? String(port) : null;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    isEnding = true;
    for (const child of running) child.kill('SIGTERM');
  });

const bus = start([place('../../dist/main.js'), '--config', place('bigpipe.json')], portIn);
const membershipPort = await freePort();
const membership = start([place('membership.ts'), '--port', membershipPort], (line) => line);
const [busPort] = await Promise.all([bus.ready, membership.ready]);
const port = values.port === '0' ? await freePort() : values.port;
const options = [
  ['--port', port],
  ['--database', join(directory, 'payments.db')],
  ['--bus', `http://127.0.0.1:${busPort}`],
  ['--membership', `http://127.0.0.1:${membershipPort}/members`],
].flat();
while (!isEnding) {
  await start([place('payments.ts'), ...options], () => null).ended;
  if (!isEnding) await new Promise((resolve) => setTimeout(resolve, respawnMs));
}
