// What POST /rpc/call answers to every kind of call, good and bad, and that what it takes arrives as it was sent.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type RpcAnswer } from '../support/bigpipe-process.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

interface Answer {
  data: string;
  errno: number;
  msg: string;
}

/** Small, so that a body over it is read whole: a server that hangs up on unread bytes may cut its own answer off. */
const maxBodyBytes = 16_384;
const accepted: Answer = { data: '', errno: 0, msg: '发送成功' };
const refused = (msg: string): Answer => ({ data: '', errno: -1, msg });
const acl = { name: 'system-1', secret: 'i am good' };

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.max.body.size': maxBodyBytes }) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const good = () => ({ acl, url: target.url('/hook'), data: 'hello', partition_key: 'k' });

function sent(body: string | Uint8Array, headers: Record<string, string> = {}, method = 'POST') {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return rawRequest(`${bigpipe.origin}/rpc/call`, { method, headers, body: [bytes] });
}

/** By the id in the answer: what other tests sent may still be on its way. */
const arrivalOf = ({ headers }: { headers: RpcAnswer['headers'] | RawAnswer['headers'] }): Promise<Arrival> => {
  const id = headers instanceof Headers ? headers.get('bigpipe-message-id') : headers['bigpipe-message-id'];
  expect(id).toEqual(expect.any(String));
  return until('the call arrives', () => target.arrivals.find((a) => a.headers['bigpipe-message-id'] === id));
};

/** Had a refused call been stored, it would arrive before this one of the same key. */
async function arrivedBeforeTheNext(path: string): Promise<readonly Arrival[]> {
  await arrivalOf(await bigpipe.call({ ...good(), url: target.url('/next') }));
  return target.arrivals.filter((arrival) => arrival.path === path);
}

describe('the table of answers', () => {
  const notObjects: [string, string][] = [
    ['an empty body', ''],
    ['an array', '[]'],
    ['a number', '1'],
    ['a text', '"x"'],
    ['true', 'true'],
    ['trailing garbage', '{} x'],
    ['two objects', '{}{}'],
    ['half an object', '{"url":'],
    ['a comma too many', '{"url":"http://a/",}'],
    ['a byte order mark', '\ufeff{}'],
    ['a form', 'url=http://a/&data=x'],
  ];
  test.each(notObjects)('%s is JSON无效', async (_what, body) => {
    const answer = await sent(body);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual(refused('JSON无效'));
  });

  const faults: [string, Record<string, unknown> | null, string][] = [
    ['null', null, 'url无效'],
    ['no url', { url: undefined }, 'url无效'],
    ['a url that is a number', { url: 1 }, 'url无效'],
    ['a url that is null', { url: null }, 'url无效'],
    ['no data', { data: undefined }, 'data无效'],
    ['data that is an object', { data: { a: 1 } }, 'data无效'],
    ['data that is null', { data: null }, 'data无效'],
    ['no partition_key', { partition_key: undefined }, 'partition_key无效'],
    ['a partition_key that is a number', { partition_key: 7 }, 'partition_key无效'],
    ['a partition_key that is null', { partition_key: null }, 'partition_key无效'],
    ['no acl', { acl: undefined }, 'acl无效'],
    ['an acl that is a text', { acl: 'system-1' }, 'acl无效'],
    ['an acl that is an array', { acl: [] }, 'acl无效'],
    ['an acl that is null', { acl: null }, 'acl无效'],
    ['no acl.name', { acl: { secret: 'i am good' } }, 'acl.name'],
    ['an acl.name that is a number', { acl: { name: 1, secret: 'i am good' } }, 'acl.name'],
    ['no acl.secret', { acl: { name: 'system-1' } }, 'acl.secret'],
    ['an acl.secret that is a list', { acl: { name: 'system-1', secret: ['i am good'] } }, 'acl.secret'],
    ['an unknown name', { acl: { name: 'nobody', secret: 'i am good' } }, '权限错误'],
    ['an empty name', { acl: { name: '', secret: 'i am good' } }, '权限错误'],
    ['the name of something that every object has', { acl: { name: 'constructor', secret: '' } }, '权限错误'],
    ['a wrong secret', { acl: { name: 'system-1', secret: 'i am bad' } }, '权限错误'],
    ['an empty secret', { acl: { name: 'system-1', secret: '' } }, '权限错误'],
    ['a secret in other letters', { acl: { name: 'system-1', secret: 'I AM GOOD' } }, '权限错误'],
    ['an id with a dot', { id: 'a.b' }, 'id无效'],
    ['an empty id', { id: '' }, 'id无效'],
    ['an id of 129 characters', { id: 'x'.repeat(129) }, 'id无效'],
    ['an id that is a number', { id: 5 }, 'id无效'],
    ['acks of 2', { acks: 2 }, 'acks无效'],
    ['acks as a text', { acks: '1' }, 'acks无效'],
    ['a content_type with a line break', { content_type: 'text/plain\r\nx-evil: 1' }, 'content_type无效'],
    ['an empty content_type', { content_type: '' }, 'content_type无效'],
    ['a content_type that is an object', { content_type: {} }, 'content_type无效'],
  ];
  test.each(faults)('%s', async (_what, fields, msg) => {
    const answer = await sent(JSON.stringify(fields === null ? null : { ...good(), ...fields }));
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(JSON.stringify(refused(msg)));
    expect(answer.headers['bigpipe-message-id']).toBeUndefined();
    expect(answer.headers['bigpipe-durability']).toBeUndefined();
  });

  test('a refused call is not delivered', async () => {
    const offered = faults.flatMap(([, fields]) => (fields === null ? [] : [fields]));
    for (const fields of offered) await sent(JSON.stringify({ ...good(), url: target.url('/refused'), ...fields }));
    expect(await arrivedBeforeTheNext('/refused')).toEqual([]);
  });

  test('a good call', async () => {
    const answer = await sent(JSON.stringify(good()));
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(JSON.stringify(accepted));
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  test('a wrong secret answers exactly as an unknown name does', async () => {
    const [secret, name] = await Promise.all([
      sent(JSON.stringify({ ...good(), acl: { ...acl, secret: 'wrong' } })),
      sent(JSON.stringify({ ...good(), acl: { ...acl, name: 'unknown' } })),
    ]);
    const told = ({ status, headers: { date: _date, ...headers }, text }: typeof secret) => ({ status, headers, text });
    expect(told(secret)).toEqual(told(name));
    expect(JSON.parse(secret.text)).toEqual(refused('权限错误'));
  });

  test('of several faults the first is told, in the order of the original', async () => {
    // Each step mends the fault that was told; the next one then comes to light.
    const steps: [Record<string, unknown>, string][] = [
      [{ acks: 7, headers: 5 }, 'url无效'],
      [{ url: target.url() }, 'data无效'],
      [{ data: '' }, 'partition_key无效'],
      [{ partition_key: '' }, 'acl无效'],
      [{ acl: {} }, 'acl.name'],
      [{ acl: { name: 'nobody' } }, 'acl.secret'],
      [{ acl: { name: 'nobody', secret: '' } }, 'acks无效'],
      [{ acks: 1 }, 'headers无效'],
      [{ headers: {} }, '权限错误'],
    ];
    let body: Record<string, unknown> = {};
    for (const [mended, msg] of steps) {
      body = { ...body, ...mended };
      expect((await bigpipe.post(JSON.stringify(body))).body).toEqual(refused(msg));
    }
    expect((await bigpipe.post(JSON.stringify({ ...body, acl }))).body).toEqual(accepted);
  });
});

describe('url', () => {
  const longest = (length: number) => {
    const start = target.url('/');
    return start + 'x'.repeat(length - start.length);
  };

  const bad: [string, string][] = [
    ['empty', ''],
    ['ftp', 'ftp://127.0.0.1/x'],
    ['file', 'file:///etc/passwd'],
    ['javascript', 'javascript:alert(1)'],
    ['a user', 'http://user@127.0.0.1/'],
    ['a user and a password', 'http://user:password@127.0.0.1/'],
    ['only a password', 'http://:password@127.0.0.1/'],
    ['relative', '/hook'],
    ['without a scheme', '127.0.0.1:80/hook'],
    ['without a scheme, with slashes', '//127.0.0.1/hook'],
    ['without a host', 'http://'],
    ['a port too high', 'http://127.0.0.1:65536/'],
    ['a space in the host', 'http://exa mple/'],
    ['unparsable brackets', 'http://[::1/'],
  ];
  test.each(bad)('%s is url无效', async (_what, url) => {
    expect((await bigpipe.call({ url })).body).toEqual(refused('url无效'));
  });

  test('8 KiB are taken and one more is url无效', async () => {
    expect((await bigpipe.call({ url: longest(8193) })).body).toEqual(refused('url无效'));
    const answer = await bigpipe.call({ url: longest(8192) });
    expect(answer.body).toEqual(accepted);
    expect((await arrivalOf(answer)).path).toBe(new URL(longest(8192)).pathname);
  });

  test('a URL that is over 8 KiB once it is encoded is url无效', async () => {
    expect((await bigpipe.call({ url: target.url(`/${'路'.repeat(2800)}`) })).body).toEqual(refused('url无效'));
  });

  test('https, IPv6, upper case and a query are fine', async () => {
    for (const url of ['https://127.0.0.1:1/', 'http://[::1]:1/', 'HTTP://LOCALHOST:1/', 'http://127.0.0.1:1?a=b#c']) {
      expect([url, (await bigpipe.call({ url })).body]).toEqual([url, accepted]);
    }
  });

  test('the query goes along, the fragment does not', async () => {
    const answer = await bigpipe.call({ url: target.url('/a%20b?x=1&y=%2F#part') });
    expect((await arrivalOf(answer)).path).toBe('/a%20b?x=1&y=%2F');
  });
});

describe('the request', () => {
  const types: [string, Record<string, string>][] = [
    ['no content type', {}],
    ["curl's default", { 'content-type': 'application/x-www-form-urlencoded' }],
    ['text/plain', { 'content-type': 'text/plain' }],
    ['JSON', { 'content-type': 'application/json; charset=utf-8' }],
    ['a form with files', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['bytes', { 'content-type': 'application/octet-stream' }],
    ['an unheard-of type', { 'content-type': 'x/y' }],
  ];
  test.each(types)('%s is fine', async (_what, headers) => {
    const answer = await sent(JSON.stringify(good()), headers);
    expect(JSON.parse(answer.text)).toEqual(accepted);
    expect((await arrivalOf(answer)).body.toString()).toBe('hello');
  });

  test.each(['nonsense', '/', ';;', ''])('a content type of %j, which is none, is fine', async (type) => {
    expect(JSON.parse((await sent(JSON.stringify(good()), { 'content-type': type })).text)).toEqual(accepted);
  });

  test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is fine', async (method) => {
    const answer = await sent(JSON.stringify(good()), {}, method);
    expect(JSON.parse(answer.text)).toEqual(accepted);
    expect((await arrivalOf(answer)).method).toBe('POST');
  });

  test.each(['GET', 'PUT', 'POST', 'PATCH', 'DELETE'])('%s without a body is JSON无效', async (method) => {
    const answer = await rawRequest(`${bigpipe.origin}/rpc/call`, { method });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual(refused('JSON无效'));
  });

  test('a query after the path changes nothing', async () => {
    const body = [Buffer.from(JSON.stringify(good()))];
    const answer = await rawRequest(`${bigpipe.origin}/rpc/call?x=1`, { body });
    expect(JSON.parse(answer.text)).toEqual(accepted);
  });

  test('a path that is not exactly /rpc/call is 404', async () => {
    for (const path of ['/rpc/call/', '/rpc/calls', '/rpc', '/', '/RPC/CALL']) {
      const answer = await rawRequest(`${bigpipe.origin}${path}`, { body: [Buffer.from(JSON.stringify(good()))] });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });

  test('extra fields are ignored', async () => {
    const answer = await bigpipe.call({ ...good(), extra: { a: [1] }, topic: 'other', Data: 1, constructor: 2 });
    expect(answer.body).toEqual(accepted);
    expect((await arrivalOf(answer)).body.toString()).toBe('hello');
  });

  test('a chunked body is put together', async () => {
    const bytes = Buffer.from(JSON.stringify({ ...good(), data: '逐块发送' }));
    // One byte a piece also cuts through the characters.
    const body = [...bytes].map((byte) => Buffer.of(byte));
    const answer = await rawRequest(`${bigpipe.origin}/rpc/call`, { body });
    expect(JSON.parse(answer.text)).toEqual(accepted);
    expect((await arrivalOf(answer)).body.toString()).toBe('逐块发送');
  });
});

describe('sizes', () => {
  /** A body of exactly so many bytes, filled up in `data`. */
  const bodyOf = (length: number, url = target.url('/hook')) => {
    const bare = Buffer.byteLength(JSON.stringify({ ...good(), url, data: '' }));
    return JSON.stringify({ ...good(), url, data: 'd'.repeat(length - bare) });
  };

  test('no data at all arrives as an empty body', async () => {
    const answer = await bigpipe.call({ ...good(), data: '' });
    expect(answer.body).toEqual(accepted);
    const arrival = await arrivalOf(answer);
    expect(arrival.body.length).toBe(0);
    expect(arrival.headers['content-length']).toBe('0');
  });

  test('a body of exactly the limit arrives byte for byte', async () => {
    const body = bodyOf(maxBodyBytes);
    expect(Buffer.byteLength(body)).toBe(maxBodyBytes);
    const answer = await sent(body);
    expect(JSON.parse(answer.text)).toEqual(accepted);
    const { data } = JSON.parse(body) as { data: string };
    expect((await arrivalOf(answer)).body.equals(Buffer.from(data))).toBe(true);
  });

  test('one byte over the limit is 413, with JSON, and nothing arrives', async () => {
    const answer = await sent(bodyOf(maxBodyBytes + 1, target.url('/too-large')));
    expect(answer.status).toBe(413);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(answer.text)).toEqual({ data: '', errno: -1, msg: expect.any(String) });
    expect(await arrivedBeforeTheNext('/too-large')).toEqual([]);
  });

  test('a chunked body over the limit is 413 too', async () => {
    const body = Buffer.from(bodyOf(maxBodyBytes + 1));
    const answer = await rawRequest(`${bigpipe.origin}/rpc/call`, {
      body: [body.subarray(0, 10_000), body.subarray(10_000)],
    });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toEqual({ data: '', errno: -1, msg: expect.any(String) });
  });

  test('a key of 10 KB', async () => {
    const answer = await bigpipe.call({ ...good(), partition_key: 'k'.repeat(10_240) });
    expect(answer.body).toEqual(accepted);
    expect((await arrivalOf(answer)).body.toString()).toBe('hello');
  });
});

describe('text', () => {
  const texts: [string, string][] = [
    ['Chinese', '暂时用不到'],
    ['emoji', '😀👩‍👩‍👧'],
    ['what HTML would escape', '<a href="x">&amp;</a>'],
    ['control characters', '\u0000\u0001\t\r\n\u007f'],
    ['line separators', '\u2028\u2029\ufeff'],
    ['escapes of its own', '\\u0041 \\n "'],
  ];
  test.each(texts)('%s arrives byte for byte, as data and with such a key', async (_what, text) => {
    const answer = await bigpipe.call({ ...good(), data: text, partition_key: text });
    expect(answer.body).toEqual(accepted);
    expect((await arrivalOf(answer)).body.equals(Buffer.from(text))).toBe(true);
  });

  const brokenBytes: [string, number[]][] = [
    ['a byte that never occurs', [0xff]],
    ['a character cut short', [0xe6, 0x9a]],
    ['a character written too long', [0xc0, 0xaf]],
    ['a surrogate as three bytes', [0xed, 0xa0, 0x80]],
  ];
  test.each(brokenBytes)('%s in the body is JSON无效: JSON is UTF-8', async (_what, bytes) => {
    const [before, after] = JSON.stringify({ ...good(), data: 'HERE' }).split('HERE') as [string, string];
    const answer = await sent(Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
    expect(JSON.parse(answer.text)).toEqual(refused('JSON无效'));
  });

  // As in the original: the escape is valid JSON, but stands for no character that UTF-8 could carry.
  test('an escaped lone surrogate arrives as U+FFFD', async () => {
    const body = JSON.stringify({ ...good(), data: 'HERE', partition_key: 'HERE' }).replaceAll('HERE', 'a\\ud800b');
    const answer = await sent(body);
    expect(JSON.parse(answer.text)).toEqual(accepted);
    expect((await arrivalOf(answer)).body.toString('hex')).toBe('61efbfbd62');
  });
});

describe('what the original did not have', () => {
  const uncommon: [string, unknown, string][] = [
    ['a text', 'x-a: 1', 'headers无效'],
    ['a list', [], 'headers无效'],
    ['a value that is a number', { 'x-a': 1 }, 'headers无效: x-a'],
    ['a value that is a list', { 'x-a': ['1'] }, 'headers无效: x-a'],
    ['a value with a line break', { 'x-a': '1\r\nx-b: 2' }, 'headers无效: x-a'],
    ['a value with a letter beyond ASCII', { 'x-a': 'é' }, 'headers无效: x-a'],
    ['an empty name', { '': '1' }, 'headers无效: a name is not a header name'],
    ['a name with a space', { 'x a': '1' }, 'headers无效: a name is not a header name'],
    ['a name with a line break', { 'x\r\na': '1' }, 'headers无效: a name is not a header name'],
    [
      'more than 8 KiB together',
      { 'x-a': 'v'.repeat(5000), 'x-b': 'v'.repeat(5000) },
      'headers无效: more than 8192 bytes',
    ],
    [
      'too many',
      Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`x-${i}`, '1'])),
      'headers无效: more than 50',
    ],
  ];
  test('fields that are null are as good as absent', async () => {
    const answer = await bigpipe.call({ ...good(), id: null, acks: null, content_type: null, headers: null });
    expect(answer.body).toEqual(accepted);
  });

  test.each(uncommon)('headers: %s is refused', async (_what, headers, msg) => {
    expect((await bigpipe.call({ ...good(), headers })).body).toEqual(refused(msg));
  });

  const credentials = ['Authorization', 'Cookie', 'Proxy-Authorization', 'Proxy-Authenticate'];
  const hopByHop = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade'];
  const itsOwn = ['Host', 'Content-Length', 'Content-Type', 'Expect', 'Idempotency-Key', 'User-Agent'];
  const bigpipes = ['Bigpipe-Message-Id', 'bigpipe-attempt', 'BIGPIPE-ANYTHING'];
  test.each([...credentials, ...hopByHop, ...itsOwn, ...bigpipes])('headers: %s is refused by name', async (name) => {
    const { body } = await bigpipe.call({ ...good(), headers: { 'x-fine': '1', [name]: '1' } });
    expect(body.errno).toBe(-1);
    expect(body.msg).toBe(`headers无效: ${name.toLowerCase()} is not forwarded`);
  });

  test('an id is made for every call, and no two are the same', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => bigpipe.call(good())));
    const ids = new Set(answers.map(({ headers }) => headers.get('bigpipe-message-id')));
    expect(ids.size).toBe(50);
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_:-]{1,128}$/);
  });

  test('an id of the caller is kept', async () => {
    const id = `Order_7:a-${'x'.repeat(118)}`;
    const answer = await bigpipe.call({ ...good(), id });
    expect(answer.headers.get('bigpipe-message-id')).toBe(id);
    expect((await arrivalOf(answer)).headers['bigpipe-message-id']).toBe(id);
  });

  test.each([
    [-1, 'disk'],
    [1, 'disk'],
    [0, 'none'],
    [undefined, 'disk'],
  ])('acks %j is answered with durability %s', async (acks, durability) => {
    const answer = await bigpipe.call({ ...good(), acks });
    expect(answer.body).toEqual(accepted);
    expect(answer.headers.get('bigpipe-durability')).toBe(durability);
    expect((await arrivalOf(answer)).body.toString()).toBe('hello');
  });
});
