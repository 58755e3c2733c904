// Callers that send slowly, or nothing, or come in masses: they are cut off, and the others are served.
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { residentBytes } from '../support/sockets.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** This process and bigpipe each need a handle a connection. */
const handles = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
const idleCount = Math.max(100, Math.min(10_000, handles - 1000));

/** What one may take in memory. */
const idleBytes = 32_768;

const slowHead = 'POST /rpc/call HTTP/1.1\r\nHost: x\r\nX-Slow: ';
const slowBody =
  'POST /rpc/call HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{';

const open: Socket[] = [];
let bigpipe: BigpipeProcess | undefined;
let target: TargetServer | undefined;

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await bigpipe?.dispose();
  await target?.close();
});

async function startWith(changes: Record<string, unknown>): Promise<{ bigpipe: BigpipeProcess; target: TargetServer }> {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: baseConfig(changes) });
  return { bigpipe, target };
}

function socketTo(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  open.push(socket);
  return socket;
}

async function connected(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  // In portions, so that the listener's queue is never the thing under test.
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(200, count - sockets.length) }, () => socketTo(port));
    await until('they are connected', () => some.every(({ connecting }) => !connecting));
    sockets.push(...some);
  }
  return sockets;
}

/** Sends the text, then one more byte again and again for as long as the connection lives. */
function dripping(port: number, text: string): { socket: Socket; answer: string[] } {
  const socket = socketTo(port);
  const answer: string[] = [];
  socket.on('data', (bytes) => answer.push(bytes.toString('latin1')));
  socket.write(text);
  const timer = setInterval(() => socket.write('a'), 50);
  socket.on('close', () => clearInterval(timer));
  return { socket, answer };
}

test('slow heads and slow bodies are cut by the read timeout while others are served', async () => {
  const { bigpipe, target } = await startWith({ 'http.server.read.timeout': 3000 });
  const slow = [slowHead, slowBody].flatMap((text) => Array.from({ length: 25 }, () => dripping(bigpipe.port, text)));
  let served = 0;
  await until('all slow ones are cut', async () => {
    const { body } = await bigpipe.call({ url: target.url(), data: 'quick' });
    expect(body.errno).toBe(0);
    served += 1;
    return slow.every(({ socket }) => socket.destroyed);
  });
  // Who goes on writing may be reset before the answer is read.
  expect(slow.filter(({ answer }) => !/^(HTTP\/1\.1 408 |$)/.test(answer.join('')))).toEqual([]);
  expect(slow.some(({ answer }) => answer.length > 0)).toBe(true);
  await until('the quick ones arrive', () => target.arrivals.length === served);
  expect((await bigpipe.stats()).serverStats['acceptedCall']).toBe(served);
  expect(await bigpipe.end('SIGTERM')).toBe(0);
});

test(`${idleCount} idle connections do not keep a call from being answered and delivered`, async () => {
  const { bigpipe, target } = await startWith({
    'http.server.max.connections': idleCount + 100,
    'http.server.read.timeout': 60_000,
    'http.server.write.timeout': 60_000,
  });
  const pid = bigpipe.child.pid as number;
  const before = await residentBytes(pid);
  const idle = await connected(bigpipe.port, idleCount);
  for (let i = 0; i < 20; i += 1) {
    expect((await bigpipe.call({ url: target.url(), data: `${i}` })).body.errno).toBe(0);
  }
  await until('they arrive', () => target.arrivals.length === 20);
  expect(await residentBytes(pid)).toBeLessThan(before + idleCount * idleBytes);
  expect(idle.filter(({ destroyed, closed }) => destroyed || closed)).toEqual([]);
});

test('connections past http.server.max.connections are closed, and there is room again when one leaves', async () => {
  const { bigpipe } = await startWith({ 'http.server.max.connections': 20, 'http.server.read.timeout': 60_000 });
  const first = await connected(bigpipe.port, 20);
  const past = Array.from({ length: 10 }, () => socketTo(bigpipe.port));
  await until('those past the bound are closed', () => past.every(({ destroyed }) => destroyed));
  expect(first.filter(({ destroyed }) => destroyed)).toEqual([]);
  first[0]?.destroy();
  await until('the next one is served', async () =>
    fetch(`${bigpipe.origin}/livez`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
});

/** Both wait far longer than the read timeout of a second. */
async function endsBySigterm(process: BigpipeProcess): Promise<number | null> {
  process.child.kill('SIGTERM');
  await until('it has ended', () => process.child.exitCode !== null, 8000);
  return process.child.exitCode;
}

test('silent connections do not hold up SIGTERM', async () => {
  const { bigpipe } = await startWith({ 'http.server.read.timeout': 1000, 'http.server.write.timeout': 60_000 });
  await connected(bigpipe.port, 50);
  expect(await endsBySigterm(bigpipe)).toBe(0);
});

test('callers that send slowly do not hold up SIGTERM', async () => {
  const { bigpipe } = await startWith({ 'http.server.read.timeout': 1000 });
  dripping(bigpipe.port, slowHead);
  dripping(bigpipe.port, slowBody);
  await until('both are connected', () => open.every(({ connecting }) => !connecting));
  expect(await endsBySigterm(bigpipe)).toBe(0);
});
