// POST /v1/messages: what it takes in each of its forms, what arrives of it, and what it says of what is wrong.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic, bearer } from '../support/credentials.js';
import { arrivalOf, idOf, jsonForm, problemOf, send, sendJson, sendLines } from '../support/messages-door.js';
import { rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const maxBodyBytes = 65_536;

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'http.server.max.body.size': maxBodyBytes,
      'kafka.topics': [
        { name: 'test', partitions: 3 },
        { name: 'more', partitions: 1 },
        { name: 'other', partitions: 1 },
      ],
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'test', topics: ['more'] },
        { name: 'local', secret: 'only here', topic: 'test', allow: ['http://127.0.0.1:*'] },
      ],
      'kafka.consumer.list': [baseConsumer(), baseConsumer({ topic: 'more', url: target.url('/default') })],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const url = (path = '/hook') => target.url(path);

describe('what is taken', () => {
  test('202, with where to ask, how safe it is, and the id', async () => {
    const answer = await send(bigpipe, { 'bigpipe-url': url() });
    expect(answer.status).toBe(202);
    const id = idOf(answer);
    expect(id).toMatch(/^msg_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(answer.headers).toMatchObject({
      location: `/v1/messages/${id}`,
      'bigpipe-durability': 'fsync',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(JSON.parse(answer.text)).toEqual({ id, durability: 'fsync' });
  });

  test('a raw body byte for byte, with its content type, and what was asked to go along', async () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = {
      'bigpipe-url': url('/raw?a=b'),
      'content-type': 'image/png',
      'bigpipe-forward-x-shop': '7',
      'bigpipe-type': 'order.paid',
      'bigpipe-expires': '1h',
      traceparent: trace,
      cookie: 'a=b',
      'x-private': 'yes',
    };
    const arrived = await arrivalOf(target, await send(bigpipe, headers, bytes));
    expect(arrived.body.equals(bytes)).toBe(true);
    expect(arrived.path).toBe('/raw?a=b');
    expect(arrived.headers).toMatchObject({
      'content-type': 'image/png',
      'x-shop': '7',
      'bigpipe-type': 'order.paid',
      'bigpipe-deadline': expect.stringMatching(/^\d{4}-.*Z$/),
      traceparent: trace,
    });
    for (const name of ['authorization', 'cookie', 'x-private', 'bigpipe-acl', 'bigpipe-url'])
      expect(arrived.headers[name]).toBeUndefined();
  });

  test.each([
    ['a bearer', { authorization: bearer('system-1', 'i am good') }],
    ['a scheme in other letters', { authorization: basic('system-1', 'i am good').replace('Basic', 'bAsIc') }],
    ['an id', { 'bigpipe-message-id': 'my-own_id:1' }],
    ['acks 1', { 'bigpipe-acks': '1' }],
    ['a key', { 'bigpipe-key': 'k' }],
    ['an empty key', { 'bigpipe-key': '' }],
    ['a delay of nothing', { 'bigpipe-delay': '0' }],
    ['a moment gone by', { 'bigpipe-not-before': '2020-01-01T00:00:00Z' }],
    ['a traceparent that is none', { traceparent: 'no' }],
    ['no content type', {}],
    ['a content type that is none', { 'content-type': 'nonsense' }],
  ])('%s is fine', async (_what, headers) => {
    const answer = await send(bigpipe, { 'bigpipe-url': url(), ...headers });
    expect([answer.status, answer.text]).toEqual([202, expect.any(String)]);
    await arrivalOf(target, answer);
  });

  test('without a URL it goes where the subscription says', async () => {
    expect((await arrivalOf(target, await send(bigpipe, { 'bigpipe-topic': 'more' }))).path).toBe('/default');
  });

  test('an empty body', async () => {
    expect((await arrivalOf(target, await send(bigpipe, { 'bigpipe-url': url() }, ''))).body.length).toBe(0);
  });

  test('Prefer: respond-async is what happens', async () => {
    const answer = await send(bigpipe, { 'bigpipe-url': url(), prefer: 'respond-async' });
    expect([answer.status, answer.headers['preference-applied']]).toEqual([202, 'respond-async']);
    const plain = await send(bigpipe, { 'bigpipe-url': url() });
    expect([plain.status, plain.headers['preference-applied']]).toEqual([202, undefined]);
  });
});

describe('JSON', () => {
  const bodies: [string, object, string, string][] = [
    ['a text', { data: '路' }, '路', 'application/octet-stream'],
    ['an object', { data: { a: [1, '路'] } }, '{"a":[1,"路"]}', 'application/json'],
    ['a number', { data: 7 }, '7', 'application/octet-stream'],
    ['false', { data: false }, 'false', 'application/octet-stream'],
    ['bytes', { data_base64: Buffer.from('bytes').toString('base64') }, 'bytes', 'application/octet-stream'],
    ['nothing', {}, '', 'application/octet-stream'],
    ['a type of its own', { data: { a: 1 }, content_type: 'application/x' }, '{"a":1}', 'application/x'],
    [
      'null is absent',
      { data: 'x', key: null, delay: null, headers: null, content_type: null },
      'x',
      'application/octet-stream',
    ],
  ];
  test.each(bodies)('%s', async (_what, fields, body, type) => {
    const arrived = await arrivalOf(target, await sendJson(bigpipe, { url: url(), ...fields }));
    expect([arrived.body.toString(), arrived.headers['content-type']]).toEqual([body, type]);
  });

  test('all fields', async () => {
    const answer = await sendJson(bigpipe, {
      url: url('/all'),
      topic: 'more',
      type: 'a.b',
      key: '路',
      id: 'all-fields',
      acks: -1,
      not_before: 1_700_000_000,
      expires: '2h',
      content_type: 'text/plain',
      headers: { 'X-Shop': '7' },
      data: 'x',
      idempotency_key: 'all fields',
    });
    expect(answer.status).toBe(202);
    expect(idOf(answer)).toBe('all-fields');
    const { path, headers } = await arrivalOf(target, answer);
    expect(path).toBe('/all');
    expect(headers).toMatchObject({ 'x-shop': '7', 'content-type': 'text/plain', 'bigpipe-type': 'a.b' });
  });
});

describe('CloudEvents', () => {
  const event = { specversion: '1.0', id: 'A234', source: '/shop', type: 'order.paid' };

  test('binary: its attributes and its data arrive', async () => {
    const headers = {
      'bigpipe-url': url(),
      'ce-specversion': '1.0',
      'ce-id': 'A234',
      'ce-source': '/shop',
      'ce-type': 'order.paid',
      'ce-partitionkey': 'k',
      'content-type': 'application/json',
    };
    const arrived = await arrivalOf(target, await send(bigpipe, headers, '{"a":1}'));
    expect(arrived.headers).toMatchObject({
      'ce-specversion': '1.0',
      'ce-id': 'A234',
      'ce-source': '/shop',
      'ce-type': 'order.paid',
      'content-type': 'application/json',
      'bigpipe-type': 'order.paid',
    });
    expect(arrived.body.toString()).toBe('{"a":1}');
  });

  const structured: [string, object, string, string][] = [
    ['JSON data', { data: { a: 1 } }, '{"a":1}', 'application/json'],
    ['a JSON text', { data: 'x' }, '"x"', 'application/json'],
    ['a text', { data: 'x', datacontenttype: 'text/plain' }, 'x', 'text/plain'],
    ['bytes', { data_base64: 'AAH/', datacontenttype: 'image/png' }, '\u0000\u0001\ufffd', 'image/png'],
    ['no data', {}, '', 'application/json'],
  ];
  test.each(structured)('structured, %s: arrives in the binary form', async (_what, fields, body, type) => {
    const answer = await send(
      bigpipe,
      { 'bigpipe-url': url(), 'content-type': 'application/cloudevents+json; charset=utf-8' },
      JSON.stringify({ ...event, subject: 'größe "5%"', count: 7, ...fields }),
    );
    expect(answer.status).toBe(202);
    const arrived = await arrivalOf(target, answer);
    expect(arrived.headers).toMatchObject({
      'ce-id': 'A234',
      'ce-subject': 'gr%C3%B6%C3%9Fe%20%225%25%22',
      'ce-count': '7',
      'content-type': type,
    });
    expect(arrived.body.toString()).toBe(body);
  });
});

describe('what is wrong', () => {
  const wrong: [string, Record<string, string>, { header: string }[]][] = [
    ['no receiver', {}, [{ header: 'bigpipe-url' }]],
    ['a URL that is none', { 'bigpipe-url': 'ftp://a/' }, [{ header: 'bigpipe-url' }]],
    ['a topic that is none', { 'bigpipe-topic': 'a b' }, [{ header: 'bigpipe-topic' }]],
    [
      'a header that is misspelled',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'bigpipe-dealy': '9' },
      [{ header: 'bigpipe-dealy' }],
    ],
    [
      'a header that is not forwarded',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'bigpipe-forward-host': 'a' },
      [{ header: 'bigpipe-forward-host' }],
    ],
    [
      'an idempotency key that is none',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'idempotency-key': '"a' },
      [{ header: 'idempotency-key' }],
    ],
    [
      'everything at once',
      {
        'bigpipe-url': '/a',
        'bigpipe-type': 'a b',
        'bigpipe-message-id': 'a.b',
        'bigpipe-acks': '2',
        'bigpipe-delay': 'soon',
        'bigpipe-not-before': 'then',
        'bigpipe-expires': 'never',
      },
      ['url', 'type', 'message-id', 'acks', 'delay', 'not-before', 'expires'].map((name) => ({
        header: `bigpipe-${name}`,
      })),
    ],
    [
      'due twice',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'bigpipe-delay': '5', 'bigpipe-not-before': '2030-01-01T00:00:00Z' },
      [{ header: 'bigpipe-not-before' }],
    ],
    [
      'expired before it is due',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'bigpipe-delay': '2h', 'bigpipe-expires': '1h' },
      [{ header: 'bigpipe-expires' }],
    ],
    [
      'a delay of more than a year',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'bigpipe-delay': '367d' },
      [{ header: 'bigpipe-delay' }],
    ],
    [
      'an event of another version',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'ce-specversion': '0.3', 'ce-id': '1', 'ce-source': 'a', 'ce-type': 'b' },
      [{ header: 'ce-specversion' }],
    ],
    [
      'an event without what it needs',
      { 'bigpipe-url': 'http://127.0.0.1:1/', 'ce-specversion': '1.0' },
      [{ header: 'ce-id' }, { header: 'ce-source' }, { header: 'ce-type' }],
    ],
  ];
  test.each(wrong)('%s: 400, and where', async (_what, headers, errors) => {
    const answer = await send(bigpipe, headers);
    expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/problem+json; charset=utf-8']);
    const problem = problemOf(answer);
    expect(problem).toMatchObject({ type: 'about:blank', status: 400, code: 'invalid-request' });
    expect(problem.errors?.map(({ header }) => header).sort()).toEqual(errors.map(({ header }) => header).sort());
  });

  const wrongJson: [string, object, string[]][] = [
    ['no receiver', {}, ['#/url']],
    ['a field that is misspelled', { topic: 'test', dealy: 9 }, ['#/dealy']],
    ['a strange field', { topic: 'test', 'a/b~c d': 9 }, ['#/a~1b~0c%20d']],
    [
      'texts that are none',
      { url: 1, topic: [], type: {}, key: 2, id: 3, acks: '1', content_type: false, headers: [], idempotency_key: 5 },
      ['url', 'topic', 'type', 'key', 'id', 'acks', 'content_type', 'headers', 'idempotency_key'].map(
        (name) => `#/${name}`,
      ),
    ],
    [
      'times that are none',
      { topic: 'test', delay: -1, not_before: {}, expires: true },
      ['#/delay', '#/not_before', '#/expires'],
    ],
    [
      'headers that are none',
      { topic: 'test', headers: { 'a b': 'x', 'X-A': 7, Cookie: 'x' } },
      ['#/headers/a%20b', '#/headers/X-A', '#/headers/Cookie'],
    ],
    ['data twice', { topic: 'test', data: 'a', data_base64: 'AAAA' }, ['#/data_base64']],
    ['base64 that is none', { topic: 'test', data_base64: '!' }, ['#/data_base64']],
  ];
  test.each(wrongJson)('JSON, %s: 400, and where', async (_what, fields, pointers) => {
    const answer = await sendJson(bigpipe, fields);
    expect(answer.status).toBe(400);
    expect(
      problemOf(answer)
        .errors?.map(({ pointer }) => pointer)
        .sort(),
    ).toEqual([...pointers].sort());
  });

  test.each(['', '[]', 'null', '1', '{', '{}x', '\ufeff{}'])('%j is no message', async (body) => {
    const answer = await send(bigpipe, { 'content-type': jsonForm }, body);
    expect([answer.status, problemOf(answer).errors]).toEqual([
      400,
      [{ detail: 'a JSON object is needed', pointer: '#' }],
    ]);
  });

  test('a field in a header beside the JSON form is told, not passed over', async () => {
    const answer = await sendJson(bigpipe, { topic: 'test' }, { 'bigpipe-delay': '5', 'bigpipe-forward-x': '1' });
    expect(answer.status).toBe(400);
    expect(
      problemOf(answer)
        .errors?.map(({ header }) => header)
        .sort(),
    ).toEqual(['bigpipe-delay', 'bigpipe-forward-x']);
  });

  test.each([
    ['nobody', {}],
    ['a wrong secret', { authorization: basic('system-1', 'x') }],
    ['another scheme', { authorization: 'Digest x' }],
  ])('%s: 401, and how to come in', async (_what, headers) => {
    const answer = await rawRequest(`${bigpipe.origin}/v1/messages`, { headers: headers as Record<string, string> });
    expect([answer.status, problemOf(answer).code]).toEqual([401, 'unauthorized']);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic .*Bearer /);
  });

  test.each([
    ['a topic of others', { 'bigpipe-topic': 'other' }, 'bigpipe-topic'],
    ['a topic that is not there', { 'bigpipe-topic': 'nowhere' }, 'bigpipe-topic'],
    ["bigpipe's own topic", { 'bigpipe-topic': 'bigpipe.control' }, 'bigpipe-topic'],
    [
      'a URL that the caller may not call',
      { authorization: basic('local', 'only here'), 'bigpipe-url': 'http://example.com/' },
      'bigpipe-url',
    ],
  ])('%s: 403', async (_what, headers, header) => {
    const answer = await send(bigpipe, headers);
    expect([answer.status, problemOf(answer).code, problemOf(answer).errors?.map((fault) => fault.header)]).toEqual([
      403,
      'forbidden',
      [header],
    ]);
  });

  test.each(['GET', 'PUT', 'PATCH', 'DELETE'])('%s: 405, and what is allowed', async (method) => {
    const answer = await rawRequest(`${bigpipe.origin}/v1/messages`, { method });
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'POST']);
  });

  test('over the limit: 413', async () => {
    const answer = await send(bigpipe, { 'bigpipe-url': url() }, Buffer.alloc(maxBodyBytes + 1));
    expect([answer.status, problemOf(answer).code]).toEqual([413, 'message-too-large']);
  });

  test('events in a batch: 415', async () => {
    const answer = await send(bigpipe, { 'content-type': 'application/cloudevents-batch+json' }, '[]');
    expect([answer.status, problemOf(answer).code]).toEqual([415, 'unsupported-media-type']);
  });

  test('nothing of what is refused is delivered', async () => {
    const marked = { 'bigpipe-forward-x-refused': 'yes' };
    for (const [, headers] of wrong) await send(bigpipe, { ...headers, ...marked });
    await arrivalOf(target, await send(bigpipe, { 'bigpipe-url': url() }));
    expect(target.arrivals.filter(({ headers }) => headers['x-refused'] === 'yes')).toEqual([]);
  });
});

describe('many at once', () => {
  test('an answer a line, in their order, and what is right is stored beside what is wrong', async () => {
    const { status, headers, lines } = await sendLines(bigpipe, [
      { url: url('/first'), data: 'a' },
      '{"url":',
      { topic: 'other' },
      { url: 'x', delay: 'y' },
      { url: url('/last'), data: 'b', acks: 1 },
    ]);
    expect([status, headers['content-type']]).toEqual([200, 'application/x-ndjson; charset=utf-8']);
    expect(lines.map((line) => line.status)).toEqual([202, 400, 403, 400, 202]);
    expect(lines[3]?.errors?.map(({ pointer }) => pointer).sort()).toEqual(['#/delay', '#/url']);
    const [first, last] = [lines[0], lines[4]];
    expect(first).toMatchObject({ location: `/v1/messages/${first?.id}`, durability: 'fsync' });
    for (const [line, path] of [
      [first, '/first'],
      [last, '/last'],
    ] as const) {
      const arrived = await until('it arrives', () =>
        target.arrivals.find(({ headers: of }) => of['bigpipe-message-id'] === line?.id),
      );
      expect(arrived.path).toBe(path);
    }
  });

  test('a key keeps the order of the lines', async () => {
    const texts = Array.from({ length: 200 }, (_, i) => `line ${i}`);
    const { lines } = await sendLines(
      bigpipe,
      texts.map((data) => ({ url: url('/ordered'), key: 'k', data })),
    );
    expect(new Set(lines.map(({ status }) => status))).toEqual(new Set([202]));
    const arrived = () => target.arrivals.filter(({ path }) => path === '/ordered').map(({ body }) => body.toString());
    await until('all have arrived', () => arrived().length >= 200);
    expect(arrived()).toEqual(texts);
  });

  test.each([
    ['another content type', { 'content-type': 'application/json' }, '{}', 415],
    ['no line', { 'content-type': 'application/x-ndjson' }, ' \n\r\n', 400],
    ['a field in a header', { 'content-type': 'application/x-ndjson', 'bigpipe-url': 'http://a/' }, '{}', 400],
    ['too many lines', { 'content-type': 'application/x-ndjson' }, '{}\n'.repeat(10_001), 413],
    ['nobody', { 'content-type': 'application/x-ndjson', authorization: 'Basic x' }, '{}', 401],
  ])('%s: %s', async (_what, headers, body, status) => {
    const answer = await rawRequest(`${bigpipe.origin}/v1/messages:batch`, {
      headers: { authorization: basic('system-1', 'i am good'), ...(headers as Record<string, string>) },
      body: [Buffer.from(body)],
    });
    expect([answer.status, problemOf(answer).status]).toEqual([status, status]);
  });
});

test('when bigpipe is full it says so at once, and when to come back', async () => {
  const full = await BigpipeProcess.start({ config: baseConfig({ 'http.server.handler.channel.size': 1 }) });
  try {
    const answers = await Promise.all(Array.from({ length: 200 }, () => send(full, { 'bigpipe-url': url('/full') })));
    const refused = answers.filter(({ status }) => status !== 202);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expect([answer.status, answer.headers['retry-after'], problemOf(answer).code]).toEqual([503, '1', 'overloaded']);
    }
  } finally {
    await full.dispose();
  }
});
