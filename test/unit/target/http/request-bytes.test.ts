// What goes over the wire is the one request that was meant, or nothing does.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HttpRequest, piecesOf } from '#src/target/http/request-bytes.js';
import { requestsReadByNode } from '../../../support/bytes-socket.js';

const host = 'receiver.test:8080';

function bytesOf(request: HttpRequest): Buffer {
  const { first, rest } = piecesOf(request, host);
  return rest === null ? first : Buffer.concat([first, rest]);
}

const posted = (changes: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'POST',
  path: '/',
  headers: [],
  body: Buffer.from('body'),
  ...changes,
});

/** As names and values without the spaces around them, which are not part of a value. */
function fieldsOf(flat: readonly string[]): string[][] {
  const pairs: string[][] = [];
  for (let i = 0; i < flat.length; i += 2)
    pairs.push([flat[i] as string, (flat[i + 1] as string).replace(/^[\t ]+|[\t ]+$/g, '')]);
  return pairs;
}

/** The one request that Node's own server reads from it. */
async function asRead(request: HttpRequest) {
  const { requests, isBroken } = await requestsReadByNode(bytesOf(request));
  expect(isBroken).toBe(false);
  expect(requests).toHaveLength(1);
  const [read] = requests as [(typeof requests)[number]];
  return { ...read, fields: fieldsOf(read.rawHeaders) };
}

const slyTexts = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  '\r\n\r\n',
  '\r\nx: y',
  '\x7f',
  '\x80',
  '\xff',
  '\u010d\u010a',
  '\u{1f600}',
];
const sly = fc.constantFrom(...slyTexts);
const text = (unit: fc.Arbitrary<string>) =>
  fc
    .array(fc.oneof({ weight: 8, arbitrary: unit }, { weight: 1, arbitrary: sly }), { maxLength: 12 })
    .map((all) => all.join(''));
const letter = fc.constantFrom(...Array.from('abcxyzAZ019-_.'));
const framing = [
  'connection',
  'content-length',
  'transfer-encoding',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
];
const known = fc.constantFrom('host', 'Host', 'content-type', 'Content-Length', 'Transfer-Encoding', 'TE', ...framing);
const headers = fc
  .array(fc.tuple(fc.oneof({ weight: 6, arbitrary: text(letter) }, { weight: 1, arbitrary: known }), text(letter)), {
    maxLength: 4,
  })
  .map((pairs) => pairs.flat());
const anyRequest: fc.Arbitrary<HttpRequest> = fc.record({
  method: fc.constantFrom('POST', 'OPTIONS'),
  path: text(letter).map((rest) => `/${rest}`),
  headers,
  body: fc.oneof(
    fc.constant(null),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  ),
});

test('a server reads the fields and the body that were meant and no other request, or nothing is sent', async () => {
  let sent = 0;
  const check = async (request: HttpRequest) => {
    let bytes: Buffer;
    try {
      bytes = bytesOf(request);
    } catch (error) {
      expect((error as Error).message).toContain('cannot be sent');
      return;
    }
    sent += 1;
    const { requests, isBroken } = await requestsReadByNode(bytes);
    expect([isBroken, requests.length]).toEqual([false, 1]);
    const given = fieldsOf(request.headers);
    const isHost = ([name]: string[]) => name?.toLowerCase() === 'host';
    expect(requests).toMatchObject([{ method: request.method, path: request.path }]);
    expect(fieldsOf(requests[0]?.rawHeaders ?? [])).toEqual([
      ['host', given.filter(isHost).at(-1)?.[1] || host],
      ['connection', 'keep-alive'],
      ...given.filter((field) => !isHost(field)),
      ...(request.body === null ? [] : [['content-length', `${request.body.length}`]]),
    ]);
    expect(requests[0]?.body).toEqual(request.body ?? Buffer.alloc(0));
  };
  await fc.assert(fc.asyncProperty(anyRequest, check), { numRuns: Number(process.env['SLY_REQUESTS'] ?? 1000) });
  expect(sent).toBeGreaterThan(50);
});

test.each([
  ...['a b', 'a:b', 'a\r\nb', 'a\n', 'a\0', '', 'ä', 'a\u010a', 'a '].map((name) => [name, 'v']),
  ...['a\r\nb: c', 'a\n', '\r', 'a\0', '\x7f', '\u010d\u010ab: c', '\u2028'].map((value) => ['x', value]),
  ...['host', 'Host'].map((name) => [name, 'a\r\nb: c']),
  ...['Content-Length', 'content-length', 'Transfer-Encoding', 'CONNECTION', 'keep-alive', 'TE', 'Trailer'].map(
    (name) => [name, '1'],
  ),
  ...['upgrade', 'Expect'].map((name) => [name, '100-continue']),
])('the header %j: %j cannot be sent', (name, value) => {
  const names = JSON.stringify(name);
  expect(() => piecesOf(posted({ headers: [name as string, value as string] }), host)).toThrow(`the header ${names}`);
});

test.each([
  '',
  ' ',
  'a',
  '*',
  '/\xe4',
  '/a b',
  '/a\r\nb',
  '/\n',
  '/\0',
  '/\t',
  '/\u010d\u010a',
  '/a HTTP/1.1\r\nhost: b\r\n\r\nGET /',
])('the path %j cannot be sent', (path) => {
  expect(() => piecesOf(posted({ path }), host)).toThrow('the path of the URL cannot be sent');
});

test.each([0, 1, 65_535, 65_536, 65_537, 1_048_576])('a body of %i bytes is sent as it is', async (bytes) => {
  const body = Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7) % 251));
  const read = await asRead(posted({ body }));
  expect(read.fields).toContainEqual(['content-length', `${bytes}`]);
  expect(read.body.equals(body)).toBe(true);
  // Copied behind its head up to 64 KiB, and given on as it is beyond.
  expect(piecesOf(posted({ body }), host).rest).toBe(bytes > 65_536 ? body : null);
});

test('a host among the headers takes the place of that of the origin, also twice, and an empty one does not', async () => {
  const hostsOf = async (...headers: string[]) => {
    const { fields } = await asRead(posted({ headers }));
    return fields.filter(([name]) => name?.toLowerCase() === 'host').map(([, value]) => value);
  };
  expect(await hostsOf()).toEqual([host]);
  expect(await hostsOf('host', 'other.test')).toEqual(['other.test']);
  expect(await hostsOf('x', 'y', 'Host', 'other.test')).toEqual(['other.test']);
  expect(await hostsOf('host', 'one.test', 'host', 'two.test')).toEqual(['two.test']);
  expect(await hostsOf('host', '')).toEqual([host]);
});

test('a question without a body says nothing of one', async () => {
  const read = await asRead({ method: 'OPTIONS', path: '/ask?now', headers: ['x-own', 'v\xe9'], body: null });
  expect([read.method, read.path, read.body.length]).toEqual(['OPTIONS', '/ask?now', 0]);
  expect(read.fields).toEqual([
    ['host', host],
    ['connection', 'keep-alive'],
    ['x-own', 'v\xe9'],
  ]);
});
