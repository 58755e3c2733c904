// Doors in workers: one program to callers and operators, whichever process answers.
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { replaceConfig, untilCounted } from '../support/live-config.js';
import { goodCaller } from '../support/messages-door.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { isAlive, untilServing, workersOf } from '../support/workers.js';

const env = { BIGPIPE_WORKERS: '2' };
/** The main process takes calls beside it. */
const oneWorker = { BIGPIPE_WORKERS: '1' };

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

/** Each on a connection of its own, so that every worker gets some. */
async function callAfresh(count: number): Promise<void> {
  const ledger = new Ledger();
  for (let i = 0; i < count; i += 1) {
    expect(await ledger.call(bigpipe, `c${i}`, { url: target.url() })).toBe(true);
    ledger.hangUp();
  }
}

test('calls come in at every worker, are delivered, and are counted as one program’s', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  expect((await bigpipe.call({ url: target.url() })).headers.get('bigpipe-durability')).toBe('disk');
  await callAfresh(39);
  await until('all have arrived', () => target.arrivals.length === 40);
  // Asked over and over, whoever answers: the figures are those of all.
  for (let i = 0; i < 10; i += 1) {
    const text = (await rawRequest(`${bigpipe.origin}/stats`, { method: 'GET' })).text;
    const { data } = JSON.parse(text) as { data: Record<string, unknown> };
    expect(data).toMatchObject({
      serverStats: { receivedCall: 40, acceptedCall: 40, overloadCall: 0 },
      producerStats: { test: { deliverySuccess: 40, deliveryFail: 0 } },
      workerStats: { workers: 2, serving: 2, replaced: 0 },
      configStats: { version: 1 },
    });
  }
  expect((await workersOf(bigpipe)).map(({ worker, state }) => [worker, state])).toEqual([
    [1, 'serving'],
    [2, 'serving'],
  ]);
});

test('what a worker does not answer itself is answered as ever', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  const ask = (path: string, method = 'GET') => rawRequest(`${bigpipe.origin}${path}`, { method });
  expect(await ask('/readyz')).toMatchObject({ status: 200, text: '{"status":"ok"}' });
  expect((await ask('/broker/lag')).status).toBe(404);
  expect(JSON.parse((await ask('/nowhere?x=1', 'DELETE')).text)).toMatchObject({
    message: 'Cannot DELETE /nowhere?x=1',
    statusCode: 404,
  });
});

test('an idempotency key is known at every worker, and so is where its message is', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  const call = { acl: { name: 'system-1', secret: 'i am good' }, url: target.url(), data: 'once', partition_key: '' };
  const request = { headers: { 'idempotency-key': 'k-1' }, body: [Buffer.from(JSON.stringify(call))] };
  const answers: RawAnswer[] = [];
  for (let i = 0; i < 12; i += 1) answers.push(await rawRequest(`${bigpipe.origin}/rpc/call`, request));
  expect(new Set(answers.map(({ text }) => (JSON.parse(text) as { errno: number }).errno))).toEqual(new Set([0]));
  const ids = new Set(answers.map(({ headers }) => headers['bigpipe-message-id']));
  expect(ids.size).toBe(1);
  await until('it has arrived', () => target.arrivals.length > 0);
  const path = `${bigpipe.origin}/v1/messages/${String([...ids][0])}`;
  for (let i = 0; i < 6; i += 1) {
    const shown = await rawRequest(path, { method: 'GET', headers: { authorization: goodCaller } });
    expect(shown.status).toBe(200);
  }
  expect(target.arrivals.length).toBe(1);
  expect((await bigpipe.stats()) as unknown).toMatchObject({
    idempotencyStats: { keys: 1, replayed: 11 },
    serverStats: { receivedCall: 12, acceptedCall: 12 },
  });
});

test('a worker that is killed is replaced, and what it had counted is not forgotten', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  await callAfresh(20);
  expect((await bigpipe.stats()).serverStats['acceptedCall']).toBe(20);
  const before = await untilServing(bigpipe, 0);
  process.kill(before[0] as number, 'SIGKILL');
  const after = await untilServing(bigpipe, 1);
  expect([after[0] === before[0], after[1] === before[1]]).toEqual([false, true]);
  expect((await bigpipe.stats()).serverStats['acceptedCall']).toBe(20);
  await callAfresh(20);
  expect((await bigpipe.stats()).serverStats['acceptedCall']).toBe(40);
  const lines = bigpipe.log.filter(({ msg }) => String(msg).startsWith('a worker has ended'));
  expect(lines).toMatchObject([{ worker: 1, workerPid: before[0], why: 'signal SIGKILL' }]);
});

test('when all workers are gone it is not ready, and takes calls again once they are back', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  for (let round = 0; round < 3; round += 1) {
    const pids = await untilServing(bigpipe, round * 2);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until('it is not ready', async () => (await fetch(`${bigpipe.management}/readyz`)).status === 503);
    await untilServing(bigpipe, round * 2 + 2);
    await callAfresh(4);
  }
  expect((await fetch(`${bigpipe.management}/readyz`)).status).toBe(200);
});

describe('with one worker the main process takes calls too', () => {
  const openConnections = (count: number): Set<Socket> => {
    const open = new Set<Socket>();
    for (let i = 0; i < count; i += 1) {
      const socket = connect(bigpipe.port, '127.0.0.1');
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      socket.on('error', () => undefined);
    }
    return open;
  };

  test('both of them have connections, and what both counted is one program’s', async () => {
    bigpipe = await BigpipeProcess.start({ env: oneWorker });
    const open = openConnections(32);
    const shared = async () => {
      const connections = (await workersOf(bigpipe))[0]?.connections ?? 0;
      return connections >= 2 && connections <= 30;
    };
    await until('the worker has some of them', shared);
    for (const socket of open) socket.destroy();
    await callAfresh(40);
    await until('all have arrived', () => target.arrivals.length === 40);
    expect((await bigpipe.stats()) as unknown).toMatchObject({
      serverStats: { receivedCall: 40, acceptedCall: 40 },
      producerStats: { test: { deliverySuccess: 40, deliveryFail: 0 } },
      workerStats: { workers: 1, serving: 1, replaced: 0 },
    });
  });

  test('their bound on connections is one', async () => {
    bigpipe = await BigpipeProcess.start({
      env: oneWorker,
      config: baseConfig({ 'http.server.max.connections': 20 }),
    });
    const open = openConnections(80);
    await until('as many are left as both may have', () => open.size === 20);
    for (const socket of open) socket.destroy();
  });

  test('while there is no worker calls are taken all the same, and it is ready', async () => {
    bigpipe = await BigpipeProcess.start({ env: oneWorker });
    const [first] = (await untilServing(bigpipe, 0)) as [number];
    process.kill(first, 'SIGKILL');
    await until('the worker is gone', async () => !(await isAlive(first)));
    expect((await fetch(`${bigpipe.management}/readyz`)).status).toBe(200);
    await callAfresh(8);
    await untilServing(bigpipe, 1);
    await callAfresh(8);
  });

  test('its kept connections come to a worker that took another’s place, and no call is lost by it', () =>
    comeBack(oneWorker));

  test('new settings are in force in both', async () => {
    bigpipe = await BigpipeProcess.start({ env: oneWorker });
    const acl = [{ name: 'system-1', secret: 'another secret', topic: 'test' }];
    await replaceConfig(bigpipe, baseConfig({ 'kafka.producer.acl': acl }));
    await untilCounted(bigpipe, 'changed', 1);
    for (let i = 0; i < 16; i += 1) {
      const call = { acl: { name: 'system-1', secret: 'i am good' }, url: target.url(), data: '', partition_key: '' };
      const { text } = await rawRequest(`${bigpipe.origin}/rpc/call`, { body: [Buffer.from(JSON.stringify(call))] });
      expect(JSON.parse(text)).toMatchObject({ errno: -1 });
    }
  });
});

test('callers that keep their connections come to a worker that took another’s place, and lose no call by it', () =>
  comeBack(env));

async function comeBack(env: Record<string, string>): Promise<void> {
  bigpipe = await BigpipeProcess.start({ env });
  const before = await untilServing(bigpipe, 0);
  const ledger = new Ledger();
  let isOver = false;
  const callers = Array.from({ length: 32 }, async (_, caller) => {
    for (let i = 0; !isOver; i += 1) await ledger.call(bigpipe, `${caller}-${i}`, { url: target.url() });
  });
  await until('calls flow', () => ledger.accepted.size > 200);
  process.kill(before[0] as number, 'SIGKILL');
  await untilServing(bigpipe, 1);
  const unanswered = ledger.unknown.size;
  await until('both have some', async () => (await workersOf(bigpipe)).every(({ connections }) => connections >= 4));
  isOver = true;
  await Promise.all(callers);
  expect(ledger.unknown.size).toBe(unanswered);
  expect([...ledger.refused]).toEqual([]);
}

test('a worker that stands still when the settings change is replaced, and the next one has them', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  const [first] = await untilServing(bigpipe, 0);
  process.kill(first as number, 'SIGSTOP');
  const acl = [{ name: 'system-1', secret: 'another secret', topic: 'test' }];
  await replaceConfig(bigpipe, baseConfig({ 'kafka.producer.acl': acl }));
  expect((await untilServing(bigpipe, 1))[0]).not.toBe(first);
  expect(await isAlive(first as number)).toBe(false);
  for (let i = 0; i < 16; i += 1) expect((await bigpipe.call({ url: target.url() })).body.errno).toBe(-1);
  // The bound on a worker's answer, and two starts on a busy machine.
}, 120_000);

test('new settings reach every worker, and one that starts later', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  const acl = (secret: string) => ({ 'kafka.producer.acl': [{ name: 'system-1', secret, topic: 'test' }] });
  await replaceConfig(bigpipe, baseConfig(acl('another secret')));
  await untilCounted(bigpipe, 'changed', 1);
  const answers = async (secret: string) => {
    const body = [
      JSON.stringify({ acl: { name: 'system-1', secret }, url: target.url(), data: '', partition_key: '' }),
    ];
    const texts = new Set<string>();
    for (let i = 0; i < 16; i += 1) {
      const { text } = await rawRequest(`${bigpipe.origin}/rpc/call`, { body: body.map((part) => Buffer.from(part)) });
      texts.add(text);
    }
    return [...texts].map((text) => (JSON.parse(text) as { errno: number }).errno);
  };
  await until('the old secret is refused everywhere', async () => (await answers('i am good')).join() === '-1');
  expect(await answers('another secret')).toEqual([0]);
  for (const pid of await untilServing(bigpipe, 0)) process.kill(pid, 'SIGKILL');
  await untilServing(bigpipe, 2);
  expect(await answers('another secret')).toEqual([0]);
  expect(await answers('i am good')).toEqual([-1]);
  // Told once, and in one log.
  expect(bigpipe.log.filter(({ msg }) => msg === 'configuration changed').length).toBe(1);
});

test('the lines of all workers are in one log, and say whose they are', async () => {
  const directory = 'lines';
  bigpipe = await BigpipeProcess.start({ env, config: baseConfig({ 'log.directory': directory }) });
  const started = (lines: readonly Record<string, unknown>[]) =>
    lines
      .filter(({ msg, worker }) => msg === 'Nest application successfully started' && worker !== undefined)
      .map(({ worker }) => worker as number)
      .sort((a, b) => a - b);
  expect(started(bigpipe.log)).toEqual([1, 2]);
  const home = join(bigpipe.directory, directory);
  await mkdir(home, { recursive: true });
  await until('they are in the file too', async () => {
    const texts = await Promise.all((await readdir(home)).map((name) => readFile(join(home, name), 'utf8')));
    const lines = texts.join('').trim().split('\n').filter(Boolean);
    return started(lines.map((line) => JSON.parse(line) as Record<string, unknown>)).length === 2;
  });
});

describe('the end', () => {
  test.each([env, oneWorker])('SIGTERM to the whole group drains once, with 0, and leaves nobody: %j', async (env) => {
    const ledger = new Ledger();
    bigpipe = await BigpipeProcess.start({ env });
    const pids = await untilServing(bigpipe, 0);
    const callers = Array.from({ length: 8 }, async (_, caller) => {
      for (let i = 0; await ledger.call(bigpipe, `${caller}-${i}`, { url: target.url() }); i += 1);
    });
    await until('calls flow', () => target.arrivals.length > 100);
    for (const pid of [...pids, bigpipe.child.pid as number]) process.kill(pid, 'SIGTERM');
    await Promise.all(callers);
    ledger.hangUp();
    expect(await bigpipe.exited).toBe(0);
    expect(await Promise.all(pids.map(isAlive))).toEqual(pids.map(() => false));
    expect(bigpipe.stderr).toEqual([]);
    expect(bigpipe.log.filter(({ level }) => (level as number) >= 40)).toEqual([]);
    bigpipe = await BigpipeProcess.start({ env, directory: bigpipe.directory });
    await until('the rest has arrived', () => ledger.allArrived(target));
    expect(ledger.faults(target, 1)).toEqual([]);
  });

  test('of the main process is the end of its workers: nobody keeps the port, and the next start has it', async () => {
    bigpipe = await BigpipeProcess.start({ env });
    const [pids, { directory, port }] = [await untilServing(bigpipe, 0), bigpipe];
    await bigpipe.end('SIGKILL');
    await until('no worker is left', async () => !(await Promise.all(pids.map(isAlive))).includes(true));
    const config = baseConfig({ 'http.server.port': port, 'broker.embedded.directory': join(directory, 'data') });
    bigpipe = await BigpipeProcess.start({ env, directory, config });
    expect(bigpipe.port).toBe(port);
    await callAfresh(2);
  });

  test('of a start whose port is taken, also by another bigpipe that shares it, is told', async () => {
    bigpipe = await BigpipeProcess.start({ env });
    for (const workers of ['2', '1', '0']) {
      const second = await BigpipeProcess.spawn({
        env: { BIGPIPE_WORKERS: workers, BIGPIPE_PORT: String(bigpipe.port) },
      });
      expect(await second.exited).toBe(1);
      expect(second.stderr.join()).toContain('EADDRINUSE');
      await second.dispose();
    }
  });
});

test('a connection with half a call in it is served to its end while the doors of its worker close', async () => {
  bigpipe = await BigpipeProcess.start({ env });
  const body = JSON.stringify({
    acl: { name: 'system-1', secret: 'i am good' },
    url: target.url(),
    data: '',
    partition_key: '',
  });
  const socket = connect(bigpipe.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes.toString();
  });
  socket.on('error', () => undefined);
  const head = `POST /rpc/call HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
  // The first call shows that the second one's head, behind it, was read as well.
  socket.write(head + body + head + body.slice(0, 10));
  await until('the first is answered', () => answer.includes('"errno":0'));
  bigpipe.child.kill('SIGTERM');
  const isRefused = () =>
    fetch(`${bigpipe.origin}/livez`).then(
      () => false,
      () => true,
    );
  await until('the listeners are closed', isRefused);
  answer = '';
  socket.write(body.slice(10));
  await until('it is answered', () => answer.includes('"errno":0'));
  socket.destroy();
  expect(await bigpipe.exited).toBe(0);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await until('both have arrived', () => target.arrivals.length === 2);
});

test('how many there are is said by the file, and the environment wins over it; nonsense is refused by name', async () => {
  const config = baseConfig({ 'http.server.workers': 1 });
  bigpipe = await BigpipeProcess.start({ config, env: { BIGPIPE_WORKERS: '' } });
  expect((await workersOf(bigpipe)).length).toBe(1);
  const wrong = await BigpipeProcess.spawn({ config, env: { BIGPIPE_WORKERS: 'many' } });
  expect(await wrong.exited).toBe(78);
  expect(wrong.stderr.join()).toContain('BIGPIPE_WORKERS: found "many", allowed: a whole number from 0 to 64, or auto');
  await wrong.dispose();
});
