// What POST /commit answers to every kind of call, and that what it takes arrives byte for byte.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic, bearer } from '../support/credentials.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const maxBodyBytes = 16_384;
const good = basic('system-1', 'i am good');

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'http.server.max.body.size': maxBodyBytes,
      'kafka.topics': [
        { name: 'test', partitions: 3 },
        { name: 'open', partitions: 1 },
        { name: 'other', partitions: 1 },
      ],
      'kafka.consumer.list': [
        baseConsumer({ url: target.url('/commit') }),
        baseConsumer({ topic: 'open', url: target.url('/open') }),
      ],
      'commit.open.topics': ['open'],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

interface Commit {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly body?: readonly Uint8Array[];
  readonly method?: string;
}

const hello = [Buffer.from('hello')];

function commit({ query = 'topic=test', headers = { authorization: good }, body = hello, method }: Commit = {}) {
  return rawRequest(`${bigpipe.origin}/commit?${query}`, {
    headers,
    body,
    ...(method === undefined ? {} : { method }),
  });
}

const arrivalOf = ({ headers }: RawAnswer): Promise<Arrival> => {
  const id = headers['bigpipe-message-id'];
  expect(id).toMatch(/^msg_[0-9A-HJKMNP-TV-Z]{26}$/);
  return until('the call arrives', () => target.arrivals.find((a) => a.headers['bigpipe-message-id'] === id));
};

describe('the table of answers', () => {
  const answers: [string, number, Commit][] = [
    ['a good call', 200, {}],
    ['a bearer', 200, { headers: { authorization: bearer('system-1', 'i am good') } }],
    ['acks 0', 200, { query: 'topic=test&acks=0' }],
    ['acks 1', 200, { query: 'topic=test&acks=1' }],
    ['acks -1', 200, { query: 'topic=test&acks=-1' }],
    ['a key', 200, { query: 'topic=test&key=k' }],
    ['an empty key', 200, { query: 'topic=test&key=' }],
    ['an open topic, by nobody', 200, { query: 'topic=open', headers: {} }],
    ['an open topic, by somebody', 200, { query: 'topic=open' }],
    ['no body', 400, { body: [] }],
    ['an empty body', 400, { body: [Buffer.alloc(0)] }],
    ['no topic', 400, { query: 'key=k' }],
    ['an empty topic', 400, { query: 'topic=' }],
    ['two topics', 400, { query: 'topic=test&topic=test' }],
    ['two keys', 400, { query: 'topic=test&key=a&key=b' }],
    ['acks 2', 400, { query: 'topic=test&acks=2' }],
    ['acks all', 400, { query: 'topic=test&acks=all' }],
    ['empty acks', 400, { query: 'topic=test&acks=' }],
    ['a delay that is none', 400, { headers: { authorization: good, 'bigpipe-delay': 'soon' } }],
    ['an id that is none', 400, { headers: { authorization: good, 'bigpipe-message-id': 'a.b' } }],
    ['a header that is not forwarded', 400, { headers: { authorization: good, 'bigpipe-forward-cookie': 'a=b' } }],
    ['an idempotency key that is none', 400, { headers: { authorization: good, 'idempotency-key': '"' } }],
    ['nobody', 401, { headers: {} }],
    ['a wrong secret', 401, { headers: { authorization: basic('system-1', 'i am bad') } }],
    ['a wrong secret for an open topic', 401, { query: 'topic=open', headers: { authorization: basic('x', 'y') } }],
    ['credentials that are none', 401, { headers: { authorization: 'Basic !' } }],
    ['a topic of others', 403, { query: 'topic=other' }],
    ['a topic that is not there', 403, { query: 'topic=nowhere' }],
    ["bigpipe's own topic", 403, { query: 'topic=bigpipe.control' }],
    ['a dead-letter topic', 403, { query: 'topic=test.G1.dlq' }],
    ['another method', 405, { method: 'PUT' }],
    ['a body over the limit', 413, { body: [Buffer.alloc(maxBodyBytes + 1)] }],
    ['a chunked body over the limit', 413, { body: [Buffer.alloc(maxBodyBytes), Buffer.alloc(1)] }],
  ];
  test.each(answers)('%s: %i', async (_what, status, call) => {
    const answer = await commit(call);
    expect([answer.status, answer.text]).toEqual([status, '']);
    expect(answer.headers['www-authenticate'] !== undefined).toBe(status === 401);
    expect(answer.headers['bigpipe-message-id'] !== undefined).toBe(status === 200);
    expect(answer.headers['bigpipe-error'] !== undefined).toBe(status >= 400 && status !== 405);
  });

  test('what is refused is not delivered', async () => {
    const refused = answers.filter(([, status]) => status !== 200);
    const marked = { 'bigpipe-forward-x-refused': 'yes' };
    for (const [, , call] of refused) {
      await commit({ ...call, headers: { ...marked, ...(call.headers ?? { authorization: good }) } });
    }
    await arrivalOf(await commit());
    expect(target.arrivals.filter(({ headers }) => headers['x-refused'] === 'yes')).toEqual([]);
  });
});

describe('what arrives', () => {
  test('the bytes as they were, whatever they are, in one piece or many', async () => {
    const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256));
    const whole = await arrivalOf(await commit({ body: [bytes] }));
    const pieces = await arrivalOf(
      await commit({ body: [bytes.subarray(0, 1), bytes.subarray(1, 500), bytes.subarray(500)] }),
    );
    expect(whole.body.equals(bytes)).toBe(true);
    expect(pieces.body.equals(bytes)).toBe(true);
    expect(whole.path).toBe('/commit');
  });

  test('with its content type and the headers it asked for, and nothing of the caller', async () => {
    const headers = {
      authorization: good,
      cookie: 'a=b',
      'content-type': 'application/msgpack',
      'bigpipe-forward-x-shop': '7',
      'x-private': 'yes',
    };
    const { headers: arrived } = await arrivalOf(await commit({ headers }));
    expect(arrived).toMatchObject({ 'content-type': 'application/msgpack', 'x-shop': '7' });
    for (const name of ['authorization', 'cookie', 'x-private', 'bigpipe-acl']) expect(arrived[name]).toBeUndefined();
  });

  test('calls of a key one after another, in their order', async () => {
    const before = target.arrivals.length;
    for (let i = 0; i < 20; i += 1)
      await commit({ query: 'topic=test&key=%E8%B7%AF', body: [Buffer.from(`in order ${i}`)] });
    const mine = () =>
      target.arrivals
        .slice(before)
        .map(({ body }) => body.toString())
        .filter((text) => text.startsWith('in order'));
    await until('all have arrived', () => mine().length >= 20);
    expect(mine()).toEqual(Array.from({ length: 20 }, (_, i) => `in order ${i}`));
  });

  test('durability says what the answer stands for', async () => {
    expect((await commit()).headers['bigpipe-durability']).toBe('fsync');
    expect((await commit({ query: 'topic=test&acks=0' })).headers['bigpipe-durability']).toBe('none');
  });

  test('the default of acks is a setting', async () => {
    const weak = await BigpipeProcess.start({
      config: baseConfig({ 'commit.default.acks': 0, 'commit.open.topics': ['test'] }),
    });
    try {
      const answer = await rawRequest(`${weak.origin}/commit?topic=test`, { body: hello });
      expect(answer.headers['bigpipe-durability']).toBe('none');
    } finally {
      await weak.dispose();
    }
  });

  test('not before its time, and then at once', async () => {
    const sentMs = Date.now();
    const answer = await commit({ headers: { authorization: good, 'bigpipe-delay': '1500ms' } });
    await arrivalOf(answer);
    expect(Date.now() - sentMs).toBeGreaterThanOrEqual(1500);
  });
});

test('when bigpipe is full it says so at once, and when to come back', async () => {
  const full = await BigpipeProcess.start({
    config: baseConfig({ 'http.server.handler.channel.size': 1, 'commit.open.topics': ['test'] }),
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => rawRequest(`${full.origin}/commit?topic=test`, { body: hello })),
    );
    const refused = answers.filter(({ status }) => status === 503);
    expect(refused.length).toBeGreaterThan(0);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 503]));
    for (const { headers } of refused) {
      expect([headers['retry-after'], headers['bigpipe-error']]).toEqual(['1', 'overloaded']);
    }
  } finally {
    await full.dispose();
  }
});
