// What a receiver gets, and what its answer does to the call: delivered, tried again, or put into the dead-letter topic.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type RpcAnswer } from '../support/bigpipe-process.js';
import { untilStats } from '../support/stats-page.js';
import { storedMessages } from '../support/stored-messages.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const idOf = (answer: RpcAnswer): string => answer.headers.get('bigpipe-message-id') ?? '';

const arrivalsOf = (target: TargetServer, id: string): Arrival[] =>
  target.arrivals.filter(({ headers }) => headers['bigpipe-message-id'] === id);

const nextArrival = (target: TargetServer, answer: RpcAnswer): Promise<Arrival> =>
  until('the call arrives', () => arrivalsOf(target, idOf(answer))[0]);

/** Answers /status/N with N; a redirect points to /elsewhere. */
const byPath: TargetServer['script'] = ({ path }, response) => {
  const status = Number(/^\/status\/(\d+)/.exec(path)?.[1] ?? 200);
  const location = status >= 300 && status < 400 ? { location: '/elsewhere' } : {};
  response.writeHead(status, location).end(status === 204 || status === 304 ? undefined : `said ${status}`);
};

describe('the request', () => {
  let target: TargetServer;
  let bigpipe: BigpipeProcess;

  beforeAll(async () => {
    target = await TargetServer.start();
    bigpipe = await BigpipeProcess.start();
  });

  afterAll(async () => {
    await bigpipe.dispose();
    await target.close();
  });

  test('is a POST with these headers and no others', async () => {
    const answer = await bigpipe.call({ url: target.url('/a/b?c=d'), data: 'hello', partition_key: 'k' });
    const { method, path, headers, body } = await nextArrival(target, answer);
    const id = idOf(answer);
    expect({ method, path, body: body.toString() }).toEqual({ method: 'POST', path: '/a/b?c=d', body: 'hello' });
    expect(headers).toEqual({
      host: `127.0.0.1:${target.port}`,
      connection: 'keep-alive',
      'content-length': '5',
      'content-type': 'application/octet-stream',
      'user-agent': expect.stringMatching(/^bigpipe\//),
      'bigpipe-message-id': id,
      'bigpipe-attempt': '1',
      'bigpipe-max-attempts': '3',
      'idempotency-key': `"${id}"`,
    });
  });

  test("content_type is the receiver's content type", async () => {
    const type = 'application/json; charset=utf-8';
    const answer = await bigpipe.call({ url: target.url(), data: '{}', content_type: type });
    expect((await nextArrival(target, answer)).headers['content-type']).toBe(type);
  });

  test('the asked-for headers go along, their names in lower case', async () => {
    const headers = {
      'X-Trace': 'abc',
      traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      accept: 'text/html, */*;q=0.1',
      'x-punctuation': '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~ and spaces',
      "!#$%&'*+.^_`|~-9z": 'every character that a name may have',
      'x-long': 'v'.repeat(4096),
      constructor: 'a name that every object has',
    };
    const answer = await bigpipe.call({ url: target.url(), headers });
    expect(answer.body.errno).toBe(0);
    const got = (await nextArrival(target, answer)).headers;
    for (const [name, value] of Object.entries(headers)) expect([name, got[name.toLowerCase()]]).toEqual([name, value]);
  });

  test('a header by the name of __proto__ goes along like any other', async () => {
    // Node's own headers object leaves that name out too.
    const rawHeaders: string[] = [];
    target.script = (_arrival, response) => {
      rawHeaders.push(...response.req.rawHeaders);
      response.end();
    };
    const headers = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
    const answer = await bigpipe.call({ url: target.url('/proto'), headers });
    expect(answer.body.errno).toBe(0);
    await until('the call arrives', () => rawHeaders.includes(idOf(answer)));
    expect(rawHeaders).toContain('__proto__');
  });

  test("nothing of the caller's own request goes along", async () => {
    const own = {
      authorization: 'Bearer own-token',
      cookie: 'session=own-cookie',
      'proxy-authorization': 'Basic own',
      'x-own': 'own',
      'user-agent': 'own-agent',
      'content-type': 'application/own',
      'idempotency-key': 'own-key',
      'bigpipe-message-id': 'own-id',
      'bigpipe-attempt': '9',
      'bigpipe-forward-x-own': 'own',
    };
    const body = { acl: { name: 'system-1', secret: 'i am good' }, url: target.url(), data: '', partition_key: '' };
    const answer = await bigpipe.post(JSON.stringify(body), own);
    const arrival = await nextArrival(target, answer);
    expect(JSON.stringify(arrival.headers)).not.toContain('own');
    expect(arrival.headers['bigpipe-attempt']).toBe('1');
  });

  test('an empty body is an empty body', async () => {
    const arrival = await nextArrival(target, await bigpipe.call({ url: target.url(), data: '' }));
    expect([arrival.headers['content-length'], arrival.body.length]).toEqual(['0', 0]);
  });
});

describe("the receiver's answer", () => {
  let target: TargetServer;
  let bigpipe: BigpipeProcess;

  beforeEach(async () => {
    target = await TargetServer.start(byPath);
    bigpipe = await BigpipeProcess.start();
  });

  afterEach(async () => {
    await bigpipe.dispose();
    await target.close();
  });

  const client = (stats: { clientStats: Record<string, Record<string, number>> }) => stats.clientStats['test'] ?? {};

  /** One call for each status, each with its status as its id. */
  const callAll = async (statuses: readonly number[]) => {
    for (const status of statuses) {
      await bigpipe.call({ url: target.url(`/status/${status}`), id: `${status}`, data: 'same', partition_key: 'k' });
    }
    return statuses.length;
  };
  const attempts = (status: number) => arrivalsOf(target, `${status}`).map(({ headers }) => headers['bigpipe-attempt']);

  test('2xx is delivered, once', async () => {
    const statuses = [200, 201, 202, 204, 206, 299];
    const count = await callAll(statuses);
    const stats = await untilStats(bigpipe, 'the calls are settled', (s) => client(s)['rpcSuccess'] === count);
    expect(client(stats)).toMatchObject({ rpcTotal: count, rpcFail: 0, rpcRetries: 0, deadLetters: 0 });
    for (const status of statuses) expect([status, attempts(status)]).toEqual([status, ['1']]);
  });

  test('408, 409, 425, 429 and 5xx are tried again as often as retries says, then they are dead letters', async () => {
    const statuses = [408, 409, 425, 429, 500, 502, 503, 504, 599];
    const count = await callAll(statuses);
    const stats = await untilStats(bigpipe, 'the dead letters are written', (s) => client(s)['deadLetters'] === count);
    expect(client(stats)).toMatchObject({ rpcTotal: count, rpcSuccess: 0, rpcFail: count, rpcRetries: 2 * count });
    for (const status of statuses) expect([status, attempts(status)]).toEqual([status, ['1', '2', '3']]);
    for (const { headers, body } of target.arrivals) {
      expect(headers['idempotency-key']).toBe(`"${String(headers['bigpipe-message-id'])}"`);
      expect(body.toString()).toBe('same');
    }
  });

  test('any other status is a dead letter at once, and no redirect is followed', async () => {
    const statuses = [300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 410, 422, 499];
    const count = await callAll(statuses);
    const stats = await untilStats(bigpipe, 'the dead letters are written', (s) => client(s)['deadLetters'] === count);
    expect(client(stats)).toMatchObject({ rpcTotal: count, rpcSuccess: 0, rpcFail: count, rpcRetries: 0 });
    for (const status of statuses) expect([status, attempts(status)]).toEqual([status, ['1']]);
    expect(target.arrivals).toHaveLength(count);
  });

  test('a second attempt that succeeds is a success', async () => {
    target.script = ({ headers }, response) => {
      response.writeHead(headers['bigpipe-attempt'] === '1' ? 503 : 200).end();
    };
    const answer = await bigpipe.call({ url: target.url(), partition_key: 'k' });
    const stats = await untilStats(bigpipe, 'the call is settled', (s) => client(s)['rpcSuccess'] === 1);
    expect(client(stats)).toMatchObject({ rpcTotal: 1, rpcFail: 0, rpcRetries: 1, deadLetters: 0 });
    expect(arrivalsOf(target, idOf(answer))).toHaveLength(2);
  });

  test('a dead letter is the call as it was, with its history', async () => {
    const calls = [500, 404].map((status) => ({
      id: `call-${status}`,
      url: target.url(`/status/${status}`),
      data: `数据 ${status}`,
      partition_key: `key ${status}`,
      content_type: 'text/plain',
      headers: { 'x-trace': `trace ${status}` },
    }));
    for (const call of calls) expect((await bigpipe.call(call)).body.errno).toBe(0);
    await bigpipe.call({ url: target.url('/status/200') });
    await untilStats(bigpipe, 'both dead letters are written', (s) => client(s)['deadLetters'] === 2);
    expect(await bigpipe.end('SIGTERM')).toBe(0);

    const letters = await storedMessages(join(bigpipe.directory, 'data'), 'test.G1.dlq');
    const origins = await storedMessages(join(bigpipe.directory, 'data'), 'test');
    expect(letters).toHaveLength(2);
    const expected = { 'call-500': ['exhausted', '500', '3'], 'call-404': ['rejected', '404', '1'] };
    for (const [i, [id, [reason, status, attempts]]] of Object.entries(expected).entries()) {
      const letter = letters.find(({ headers }) => headers['bigpipe-message-id'] === id);
      const origin = origins.find(({ headers }) => headers['bigpipe-message-id'] === id);
      expect(letter?.body.toString()).toBe(calls[i]?.data);
      expect(letter?.key?.toString()).toBe(calls[i]?.partition_key);
      expect(letter?.partition).toBe(origin?.partition);
      expect(letter?.headers).toEqual({
        ...origin?.headers,
        'bigpipe-dlq-reason': reason,
        'bigpipe-dlq-detail': expect.stringContaining(String(status)),
        'bigpipe-dlq-status': status,
        'bigpipe-dlq-answer': `said ${status}`,
        'bigpipe-dlq-attempts': attempts,
        'bigpipe-dlq-first-attempt': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        'bigpipe-dlq-last-attempt': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        'bigpipe-dlq-topic': 'test',
        'bigpipe-dlq-partition': String(origin?.partition),
        'bigpipe-dlq-offset': String(origin?.offset),
        'bigpipe-dlq-from': `test/${origin?.partition}/${origin?.offset}`,
      });
    }
  });

  test('a receiver that is not there is tried again, and the dead letter says why', async () => {
    const gone = await TargetServer.start();
    const url = gone.url();
    await gone.close();
    await bigpipe.call({ url, data: 'nobody home' });
    const stats = await untilStats(bigpipe, 'the dead letter is written', (s) => client(s)['deadLetters'] === 1);
    expect(client(stats)).toMatchObject({ rpcFail: 1, rpcRetries: 2 });
    await bigpipe.end('SIGTERM');
    const [letter] = await storedMessages(join(bigpipe.directory, 'data'), 'test.G1.dlq');
    expect(letter?.headers).toMatchObject({
      'bigpipe-dlq-reason': 'exhausted',
      'bigpipe-dlq-status': '0',
      'bigpipe-dlq-attempts': '3',
      'bigpipe-dlq-detail': expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('order', () => {
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', '钥匙'];
  const callsPerKey = 40;

  /** Far more retries than a receiver that fails at random needs, so that nothing ends as a dead letter. */
  const patient = baseConfig({
    'kafka.consumer.list': [
      baseConsumer({ retries: 1000, concurrency: 8, retryBackoff: { initialMs: 1, maxMs: 20, factor: 2 } }),
    ],
  });

  let target: TargetServer;
  let bigpipe: BigpipeProcess;
  /** `key number` of each arrival that was answered with success, in that order. */
  let successes: string[];

  beforeEach(async () => {
    successes = [];
    target = await TargetServer.start();
    bigpipe = await BigpipeProcess.start({ config: patient });
  });

  afterEach(async () => {
    await bigpipe.dispose();
    await target.close();
  });

  const answer = (arrival: Arrival, response: Parameters<TargetServer['script']>[1], isUp: boolean) => {
    if (isUp) successes.push(arrival.body.toString());
    response.writeHead(isUp ? 200 : 500).end();
  };

  const sendAll = (names: readonly string[]) =>
    Promise.all(
      names.map(async (key) => {
        // One after another: the answer of one call says that it stands before the next.
        for (let i = 0; i < callsPerKey; i += 1) {
          await bigpipe.call({ url: target.url(), partition_key: key, data: `${key} ${i}` });
        }
      }),
    );

  const numbersOf = (key: string) =>
    [...new Set(successes)].filter((text) => text.startsWith(`${key} `)).map((text) => Number(text.split(' ')[1]));

  const inOrder = Array.from({ length: callsPerKey }, (_, i) => i);

  test('of each key is kept by a receiver that fails at random', async () => {
    target.script = (arrival, response) => answer(arrival, response, Math.random() > 0.3);
    await sendAll(keys);
    await until('all calls have arrived', () => new Set(successes).size === keys.length * callsPerKey);
    for (const key of keys) expect([key, numbersOf(key)]).toEqual([key, inOrder]);
    expect(target.arrivals.length).toBeGreaterThan(keys.length * callsPerKey);
  });

  test('a key that fails does not stop the others, and is in order once it succeeds', async () => {
    let isStuck = true;
    target.script = (arrival, response) =>
      answer(arrival, response, !(isStuck && arrival.body.toString().startsWith('stuck ')));
    await sendAll(['stuck', ...keys]);
    await until('the other keys have arrived', () => new Set(successes).size === keys.length * callsPerKey);
    expect(numbersOf('stuck')).toEqual([]);
    const tried = target.arrivals.map(({ body }) => body.toString()).filter((text) => text.startsWith('stuck '));
    expect(new Set(tried)).toEqual(new Set(['stuck 0']));
    isStuck = false;
    await until('the stuck key has arrived', () => numbersOf('stuck').length === callsPerKey);
    for (const key of ['stuck', ...keys]) expect([key, numbersOf(key)]).toEqual([key, inOrder]);
  });

  test('a key of one dead destination does not stop the same key to another', async () => {
    const dead = await TargetServer.start((_arrival, response) => {
      response.writeHead(503).end();
    });
    try {
      await bigpipe.call({ url: dead.url(), partition_key: 'same', data: 'to the dead one' });
      await until('the dead one was tried', () => dead.arrivals.length > 0);
      const call = await bigpipe.call({ url: target.url(), partition_key: 'same', data: 'to the living one' });
      expect((await nextArrival(target, call)).body.toString()).toBe('to the living one');
    } finally {
      await dead.close();
    }
  });
});

test('every group of a topic gets every call', async () => {
  const target = await TargetServer.start();
  const config = baseConfig({
    'kafka.consumer.list': [baseConsumer(), baseConsumer({ groupId: 'G2' })],
  });
  const bigpipe = await BigpipeProcess.start({ config });
  try {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => bigpipe.call({ url: target.url(), data: `${i}` })),
    );
    await until('all have arrived twice', () => target.arrivals.length === 40);
    expect(target.countById()).toEqual(new Map(answers.map((answer) => [idOf(answer), 2])));
  } finally {
    await bigpipe.dispose();
    await target.close();
  }
});
