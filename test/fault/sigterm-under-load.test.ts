// SIGTERM while calls come in and go out: what was answered is delivered, once, and no process is left behind.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { isAlive } from '../support/workers.js';

const callers = 16;

let target: TargetServer;
let bigpipe: BigpipeProcess | undefined;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe?.dispose();
  bigpipe = undefined;
  await target.close();
});

/** Calls one after another until the process takes none any more. */
async function callUntilGone(ledger: Ledger, process: BigpipeProcess, caller: string): Promise<void> {
  for (let i = 0; ; i += 1) {
    const key = i % 2 === 0 ? caller : '';
    if (!(await ledger.call(process, `${caller}-${i}`, { url: target.url(), partition_key: key }))) return;
  }
}

test('SIGTERM in full flow: exit 0, nothing lost, nothing twice', async () => {
  const ledger = new Ledger();
  let directory: string | undefined;
  for (let round = 0; round < 4; round += 1) {
    bigpipe = await BigpipeProcess.start(directory === undefined ? {} : { directory });
    const running = bigpipe;
    directory = running.directory;
    const arrivedBefore = target.arrivals.length;
    const calling = Array.from({ length: callers }, (_, i) => callUntilGone(ledger, running, `r${round}c${i}`));
    await until('calls flow', () => target.arrivals.length > arrivedBefore + 200 * (round + 1));
    running.child.kill('SIGTERM');
    await Promise.all(calling);
    // A caller that keeps its connection would hold up the drain; that is a test of its own below.
    ledger.hangUp();
    expect(await running.exited).toBe(0);
    expect(running.stderr).toEqual([]);
  }
  bigpipe = await BigpipeProcess.start({ directory: directory as string });
  await until('the rest has arrived', () => ledger.allArrived(target));
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(ledger.faults(target, 1)).toEqual([]);
});

test('a backlog behind a tight limit is kept for the next start, and repeats nothing', async () => {
  const ledger = new Ledger();
  const config = baseConfig({ 'kafka.consumer.list': [baseConsumer({ rateLimit: 50, concurrency: 5 })] });
  bigpipe = await BigpipeProcess.start({ config });
  const running = bigpipe;
  const calls = Array.from({ length: 400 }, (_, i) =>
    ledger.call(running, `b${i}`, { url: target.url(), partition_key: `${i % 7}` }),
  );
  await Promise.all(calls);
  await until('some have arrived', () => target.arrivals.length >= 50);
  ledger.hangUp();
  expect(await running.end('SIGTERM')).toBe(0);
  expect(target.arrivals.length).toBeLessThan(400);
  bigpipe = await BigpipeProcess.start({ directory: running.directory, config: withData(running, baseConfig()) });
  await until('the rest has arrived', () => ledger.allArrived(target));
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(ledger.faults(target, 1)).toEqual([]);
});

const withData = (process: BigpipeProcess, config: Record<string, unknown>) => ({
  ...config,
  'broker.embedded.directory': join(process.directory, 'data'),
});

const callText = (id: string) => {
  const acl = { name: 'system-1', secret: 'i am good' };
  const body = JSON.stringify({ acl, id, url: target.url(), data: id, partition_key: '' });
  return { head: `POST /rpc/call HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`, body };
};

/** A connection with half a call in it, as SIGTERM finds it: the listener is closed, the connection is not. */
async function halfCall(running: BigpipeProcess): Promise<{ socket: Socket; answer: () => string; rest: string }> {
  const { head, body } = callText('half');
  const socket = connect(running.port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    answer += bytes.toString();
  });
  const { serverStats } = await running.stats();
  expect(serverStats['receivedCall']).toBe(0);
  // The first call shows that the second one's head, behind it, was read as well.
  const first = callText('first');
  socket.write(first.head + first.body + head + body.slice(0, 10));
  await until('the first is answered', () => answer.includes('"errno":0'));
  running.child.kill('SIGTERM');
  await until('the listener is closed', () => isRefused(running.port));
  answer = '';
  return { socket, answer: () => answer, rest: body.slice(10) };
}

const isRefused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });

test('a call that was half sent when SIGTERM came is taken, answered and delivered', async () => {
  bigpipe = await BigpipeProcess.start();
  const { socket, answer, rest } = await halfCall(bigpipe);
  socket.write(rest);
  await until('it is answered', () => answer().includes('"errno":0'));
  socket.destroy();
  expect(await bigpipe.exited).toBe(0);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await until('it has arrived', () => target.countById().get('half') === 1);
});

test('a call that still comes while the doors close is stored like any other, and its connection closed', async () => {
  bigpipe = await BigpipeProcess.start();
  const { socket, answer, rest } = await halfCall(bigpipe);
  const late = callText('late');
  socket.write(rest + late.head + late.body);
  await until('both are answered', () => answer().split('HTTP/1.1 ').length === 3);
  socket.destroy();
  expect(await bigpipe.exited).toBe(0);
  const second = answer().split('HTTP/1.1 ')[2] ?? '';
  expect(second).toContain('"errno":0');
  expect(second.toLowerCase()).toContain('connection: close');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await until('it has arrived', () => target.countById().get('late') === 1);
});

test('a caller that keeps its connection does not hold up SIGTERM', async () => {
  bigpipe = await BigpipeProcess.start();
  const running = bigpipe;
  const { socket, answer, rest } = await halfCall(running);
  socket.write(rest);
  await until('it is answered', () => answer().includes('"errno":0'));
  await until('the process has ended', () => hasEnded(running), 8000).finally(() => socket.destroy());
  expect(running.child.exitCode).toBe(0);
});

/** A receiver that keeps every request; the process cannot drain before its timeout. */
async function startHeld(): Promise<BigpipeProcess> {
  target.script = () => undefined;
  const config = baseConfig({ 'kafka.consumer.list': [baseConsumer({ timeout: 50_000 })] });
  const running = await BigpipeProcess.start({ config });
  bigpipe = running;
  await running.call({ url: target.url(), data: 'held' });
  await until('the receiver holds it', () => target.arrivals.length === 1);
  return running;
}

const hasEnded = ({ child }: BigpipeProcess) => child.exitCode !== null || child.signalCode !== null;

test('signals of the first second are one signal; a later one ends it at once with 1, and the call comes again', async () => {
  const running = await startHeld();
  const first = performance.now();
  running.child.kill('SIGTERM');
  running.child.kill('SIGINT');
  await until('it has ended', () => {
    running.child.kill('SIGTERM');
    return hasEnded(running);
  });
  expect(running.child.exitCode).toBe(1);
  // Not a bound on how fast it is: a signal that ended it before would have been taken for another one.
  expect(performance.now() - first).toBeGreaterThan(1000);
  target.script = (_arrival, response) => void response.end();
  bigpipe = await BigpipeProcess.start({ directory: running.directory });
  await until('it comes again', () => target.arrivals.length === 2);
  expect(new Set(target.countById().values())).toEqual(new Set([2]));
});

test('signals sent twice in a row still drain', async () => {
  const running = await startHeld();
  running.child.kill('SIGTERM');
  running.child.kill('SIGTERM');
  await until('the door is closed', async () =>
    fetch(`${running.origin}/livez`)
      .then(() => false)
      .catch(() => true),
  );
  expect(hasEnded(running)).toBe(false);
  // The receiver breaks off; the attempt is over and stays unsettled.
  await target.close();
  expect(await running.exited).toBe(0);
  target = await TargetServer.start();
});

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Children of children too. */
async function descendants(pid: number): Promise<number[]> {
  const tasks = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    tasks.map(async (task) => {
      const stat = await readFile(`/proc/${task}/stat`, 'utf8').catch(() => '');
      return { task: Number(task), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) };
    }),
  );
  const children = parents.filter(({ parent }) => parent === pid).map(({ task }) => task);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to nest start, as npm start runs it, drains and leaves no orphan`, async () => {
    // A copy: nest start builds, and would take dist away from the tests beside this one.
    const copy = await mkdtemp(join(tmpdir(), 'bigpipe-start-'));
    try {
      for (const name of ['package.json', 'nest-cli.json', 'tsconfig.json', '.swcrc', 'src']) {
        await cp(join(root, name), join(copy, name), { recursive: true });
      }
      await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
      const config = { ...baseConfig(), 'broker.embedded.directory': join(copy, 'data') };
      await writeFile(join(copy, 'bigpipe.json'), JSON.stringify(config));
      const nest = join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
      const child = spawn(process.execPath, [nest, 'start', '--no-shell'], {
        cwd: copy,
        env: {
          ...process.env,
          BIGPIPE_CONFIG: 'bigpipe.json',
          PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const lines: string[] = [];
      createInterface(child.stdout).on('line', (line) => lines.push(line));
      createInterface(child.stderr).on('line', (line) => lines.push(line));
      const running = await until('it runs', () => {
        if (child.exitCode !== null) throw new Error(lines.join('\n'));
        return lines.find((line) => line.includes('bigpipe is running'));
      });
      const { port } = JSON.parse(running) as { port: number };
      const pids = [child.pid as number, ...(await descendants(child.pid as number))];
      expect(pids.length).toBeGreaterThan(1);
      const answer = await fetch(`http://127.0.0.1:${port}/rpc/call`, {
        method: 'POST',
        body: JSON.stringify({
          acl: { name: 'system-1', secret: 'i am good' },
          partition_key: '',
          url: target.url(),
          data: 'x',
        }),
      });
      expect(await answer.json()).toMatchObject({ errno: 0 });
      child.kill(signal);
      await until('it has ended', () => child.exitCode !== null || child.signalCode !== null);
      expect(child.exitCode).toBe(0);
      await until('no process of it is left', async () => !(await Promise.all(pids.map(isAlive))).includes(true));
      await until('the call has arrived', () => target.arrivals.length === 1);
    } finally {
      await rm(copy, { recursive: true, force: true });
    }
  });
}
