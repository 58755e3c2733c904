// GET and DELETE /v1/messages/{id}: what a caller is told of its own messages, and that a cancelled one is not sent.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { arrivalOf, ask, idOf, problemOf, send, sendJson, sendLines, stateOf } from '../support/messages-door.js';
import { rawRequest } from '../support/raw-request.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

const config = (consumer: Config = {}) =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 2 }],
    'kafka.producer.acl': [
      { name: 'system-1', secret: 'i am good', topic: 'test' },
      { name: 'system-2', secret: 'me too', topic: 'test' },
    ],
    'kafka.consumer.list': [baseConsumer({ retries: 0, ...consumer })],
  });

const start = async (consumer: Config = {}) => {
  bigpipe = await BigpipeProcess.start({ config: config(consumer) });
};

const restart = async (signal: NodeJS.Signals) => {
  await bigpipe.end(signal);
  bigpipe = await BigpipeProcess.start({
    directory: bigpipe.directory,
    config: { ...config(), 'broker.embedded.directory': `${bigpipe.directory}/data` },
  });
};

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const other = basic('system-2', 'me too');

describe('where it is', () => {
  test('delivered', async () => {
    await start();
    const answer = await send(bigpipe, { 'bigpipe-url': target.url('/x'), 'bigpipe-key': 'k', 'bigpipe-type': 'a.b' });
    await arrivalOf(target, answer);
    const state = await until('it is settled', async () => {
      const told = await stateOf(bigpipe, idOf(answer));
      return told.deliveries[0]?.state === 'settled' ? told : null;
    });
    expect(state).toEqual({
      id: idOf(answer),
      topic: 'test',
      url: target.url('/x'),
      type: 'a.b',
      key: 'k',
      acceptedAt: expect.any(String),
      cancelled: false,
      deliveries: [{ subscription: 'G1', state: 'settled' }],
    });
  });

  test('waiting for its moment, also after a restart', async () => {
    await start();
    const answer = await send(bigpipe, { 'bigpipe-url': target.url(), 'bigpipe-delay': '5m', 'bigpipe-expires': '1h' });
    const waiting = { cancelled: false, notBefore: expect.any(String), expires: expect.any(String) };
    await until('it waits', async () => (await stateOf(bigpipe, idOf(answer))).deliveries[0]?.state === 'waiting');
    const told = await stateOf(bigpipe, idOf(answer));
    expect(told).toMatchObject({ ...waiting, deliveries: [{ state: 'waiting', waitingFor: [{ reason: 'delay' }] }] });
    await restart('SIGTERM');
    const after = await stateOf(bigpipe, idOf(answer));
    expect(after).toMatchObject({ ...waiting, deliveries: [{ subscription: 'G1' }] });
    expect(['waiting', 'unknown']).toContain(after.deliveries[0]?.state);
  });

  test('in flight, and then a dead letter', async () => {
    await start();
    let finish: () => void = () => undefined;
    target.script = async (_arrival, response) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      response.writeHead(400).end('no');
    };
    const answer = await sendJson(bigpipe, { url: target.url(), data: 'x' });
    await arrivalOf(target, answer);
    expect((await stateOf(bigpipe, idOf(answer))).deliveries).toMatchObject([{ state: 'in-flight', attempt: 1 }]);
    finish();
    const letter = await until('it is a dead letter', async () => {
      const [delivery] = (await stateOf(bigpipe, idOf(answer))).deliveries;
      return delivery?.deadLetter ? delivery : null;
    });
    expect(letter).toMatchObject({
      state: 'dead-letter',
      deadLetter: { reason: 'rejected', status: 400, attempts: 1 },
    });
  });

  test('of the call of another name, or of none, nothing is told', async () => {
    await start();
    const answer = await send(bigpipe, { 'bigpipe-url': target.url(), 'bigpipe-delay': '5m' });
    for (const method of ['GET', 'DELETE']) {
      const notThere = await ask(bigpipe, 'msg_01ARZ3NDEKTSV4RRFFQ69G5FAV', method, other);
      const notYours = await ask(bigpipe, idOf(answer), method, other);
      expect([notYours.status, notYours.text]).toEqual([notThere.status, notThere.text]);
      expect([notYours.status, problemOf(notYours).code]).toEqual([404, 'not-found']);
      expect((await ask(bigpipe, idOf(answer), method, 'Basic x')).status).toBe(401);
      expect((await ask(bigpipe, 'a.b', method)).status).toBe(404);
    }
    expect((await stateOf(bigpipe, idOf(answer))).cancelled).toBe(false);
    expect((await ask(bigpipe, idOf(answer), 'PUT')).headers['allow']).toBe('GET, HEAD, DELETE');
  });

  test('one that came through another door, under the same name', async () => {
    await start();
    const called = await bigpipe.call({ url: target.url(), delay: '5m' });
    const id = called.headers.get('bigpipe-message-id') as string;
    expect((await stateOf(bigpipe, id)).deliveries).toHaveLength(1);
    const committed = await rawRequest(`${bigpipe.origin}/commit?topic=test`, {
      headers: { authorization: basic('system-1', 'i am good'), 'bigpipe-delay': '5m' },
      body: [Buffer.from('x')],
    });
    expect((await stateOf(bigpipe, idOf(committed))).deliveries).toHaveLength(1);
  });
});

describe('cancelled', () => {
  test('it is not sent, and is no dead letter; others are', async () => {
    await start();
    const { lines } = await sendLines(
      bigpipe,
      ['a', 'b', 'c', 'd'].map((data) => ({ url: target.url(), data, delay: '6s', key: 'k' })),
    );
    for (const i of [0, 2]) {
      const answer = await ask(bigpipe, lines[i]?.id as string, 'DELETE');
      expect([answer.status, JSON.parse(answer.text)]).toMatchObject([
        200,
        { cancelled: true, deliveries: [{ state: 'cancelled' }] },
      ]);
    }
    const stats = await untilStats(bigpipe, 'all are settled', ({ clientStats }) => {
      const { rpcSuccess = 0, cancelled = 0 } = clientStats['test'] ?? {};
      return rpcSuccess + cancelled === 4;
    });
    expect(stats.clientStats['test']).toMatchObject({ rpcSuccess: 2, cancelled: 2, deadLetters: 0, rpcFail: 0 });
    expect(target.arrivals.map(({ body }) => body.toString())).toEqual(['b', 'd']);
    expect(await stateOf(bigpipe, lines[0]?.id as string)).toMatchObject({
      cancelled: true,
      deliveries: [{ state: 'settled' }],
    });
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('it stays cancelled through %s', async (signal) => {
    await start();
    const { lines } = await sendLines(
      bigpipe,
      ['a', 'b'].map((data) => ({ url: target.url(), data, delay: '3s' })),
    );
    expect((await ask(bigpipe, lines[0]?.id as string, 'DELETE')).status).toBe(200);
    await restart(signal);
    expect((await stateOf(bigpipe, lines[0]?.id as string)).cancelled).toBe(true);
    await untilStats(
      bigpipe,
      'both are settled',
      ({ clientStats }) => clientStats['test']?.['cancelled'] === 1 && clientStats['test']?.['rpcSuccess'] === 1,
    );
    expect(target.arrivals.map(({ body }) => body.toString())).toEqual(['b']);
  });

  test('twice is fine; what is delivered cannot be', async () => {
    await start();
    const waits = await send(bigpipe, { 'bigpipe-url': target.url(), 'bigpipe-delay': '5m' });
    for (let i = 0; i < 2; i += 1) expect((await ask(bigpipe, idOf(waits), 'DELETE')).status).toBe(200);
    const sent = await send(bigpipe, { 'bigpipe-url': target.url() });
    await arrivalOf(target, sent);
    await until('it is settled', async () => (await stateOf(bigpipe, idOf(sent))).deliveries[0]?.state === 'settled');
    const late = await ask(bigpipe, idOf(sent), 'DELETE');
    expect([late.status, problemOf(late).code]).toEqual([409, 'already-settled']);
  });

  test('between two attempts: no more is made', async () => {
    await start({ retries: 10, retryBackoff: [1500] });
    target.script = (_arrival, response) => void response.writeHead(500).end();
    const answer = await send(bigpipe, { 'bigpipe-url': target.url() });
    await arrivalOf(target, answer);
    await until(
      'it waits for its next attempt',
      async () => (await stateOf(bigpipe, idOf(answer))).deliveries[0]?.state === 'waiting',
    );
    expect((await ask(bigpipe, idOf(answer), 'DELETE')).status).toBe(200);
    await untilStats(bigpipe, 'it is dropped', ({ clientStats }) => clientStats['test']?.['cancelled'] === 1);
    expect(target.arrivals).toHaveLength(1);
  });
});
