// Plain calls go past the router and its hooks: nobody can tell from the answers, however the bytes come in.
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const maxBodyBytes = 16_384;
const maxHeaders = 20;
const acl = { name: 'system-1', secret: 'i am good' };
const authorization = `Basic ${Buffer.from(`${acl.name}:${acl.secret}`).toString('base64')}`;

let target: TargetServer;
let bigpipe: BigpipeProcess;
const open: Socket[] = [];

beforeAll(async () => {
  target = await TargetServer.start();
  const config = { 'http.server.max.body.size': maxBodyBytes, 'http.server.max.headers': maxHeaders };
  bigpipe = await BigpipeProcess.start({ config: baseConfig(config) });
});

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

/** A connection whose answers are gathered as text. */
function caller(): { socket: Socket; text: () => string } {
  const socket = connect({ port: bigpipe.port, host: '127.0.0.1' });
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  open.push(socket);
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString();
  });
  return { socket, text: () => text };
}

const callOf = (changes: object = {}) =>
  JSON.stringify({ acl, url: target.url('/hook'), data: 'hello', partition_key: 'k', ...changes });

interface Head {
  readonly path?: string;
  readonly headers?: readonly string[];
  readonly method?: string;
}

function head(body: string, { path = '/rpc/call', headers = [], method = 'POST' }: Head = {}): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: x', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Each answer's status line, the names of its headers, and its body, with what differs from call to call struck out. */
const alike = (answer: string) =>
  answer
    .replace(/msg_[0-9A-Z]{26}/g, 'ID')
    .replace(/^date: .*$/gim, 'date')
    .replace(/^(connection|keep-alive): /gim, (name) => name.toLowerCase())
    .split('\r\n')
    .sort();

const answered = async (text: () => string, count = 1) =>
  until(`${count} answers`, () =>
    text().match(/HTTP\/1\.1 \d/g)?.length === count && isWhole(text()) ? text() : null,
  );

function isWhole(text: string): boolean {
  const last = text.slice(text.lastIndexOf('HTTP/1.1 '));
  const [lines = '', body] = last.split('\r\n\r\n', 2);
  const length = /^content-length: (\d+)$/im.exec(lines)?.[1];
  return body !== undefined && Buffer.byteLength(body) >= Number(length ?? 0);
}

async function asked(text: string): Promise<string> {
  const { socket, text: heard } = caller();
  socket.write(text);
  const answer = await answered(heard);
  socket.destroy();
  return answer;
}

const calls: [string, object | string][] = [
  ['a good call', {}],
  ['an id of its own', { id: 'my-own' }],
  ['a wrong secret', { acl: { ...acl, secret: 'i am bad?' } }],
  ['a name that nobody has', { acl: { ...acl, name: 'nobody' } }],
  ['no url', { url: '' }],
  ['no JSON', '{'],
  ['broken headers', { headers: { host: 'x' } }],
  ['a time that is no time', { delay: 'soon' }],
];

test.each(calls)('/rpc/call answers %s alike on both ways', async (_what, changes) => {
  const body = typeof changes === 'string' ? changes : callOf(changes);
  const long = await asked(head(body, { path: '/rpc/call?long' }) + body);
  const short = await asked(head(body) + body);
  expect(alike(short)).toEqual(alike(long));
});

const messages: [string, string, readonly string[]][] = [
  ['a good message', 'hello', ['Bigpipe-Key: k', 'Content-Type: text/plain']],
  ['faults', 'hello', ['Bigpipe-Acks: 7', 'Bigpipe-Delay: soon']],
  ['a key of its own', 'hello', [`Idempotency-Key: once`]],
  ['JSON', '{"data":"x"}', ['Content-Type: application/json']],
];

test.each(messages)('/v1/messages answers %s alike on both ways', async (_what, body, headers) => {
  const path = '/v1/messages';
  const given = [`Authorization: ${authorization}`, `Bigpipe-Url: ${target.url('/v1')}`, ...headers];
  const long = await asked(head(body, { path: `${path}?long`, headers: given }) + body);
  const short = await asked(head(body, { path, headers: given }) + body);
  expect(alike(short).filter((line) => !/replayed/i.test(line))).toEqual(
    alike(long).filter((line) => !/replayed/i.test(line)),
  );
});

test('a body may come in any pieces, and calls behind one another before the first answer', async () => {
  const { socket, text } = caller();
  const bodies = ['one', 'two', 'three'].map((data) =>
    callOf({ data, url: target.url('/pieces'), partition_key: 'p' }),
  );
  const bytes = Buffer.from(bodies.map((body) => head(body) + body).join(''));
  for (let at = 0; at < bytes.length; at += 37) {
    socket.write(bytes.subarray(at, at + 37));
    // Each piece is read by itself.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await answered(text, 3);
  expect(text().match(/"errno":0/g)).toHaveLength(3);
  const arrived = () => target.arrivals.filter(({ path }) => path === '/pieces').map(({ body }) => body.toString());
  await until('all three arrive', () => arrived().length === 3);
  expect(arrived()).toEqual(['one', 'two', 'three']);
});

test('bodies in chunks, over the bound, of nothing, and too many headers are answered as ever', async () => {
  const body = callOf();
  const chunked = `POST /rpc/call HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  expect(await asked(chunked)).toContain('"errno":0');
  expect(await asked(head('x'.repeat(maxBodyBytes + 1)))).toMatch(/^HTTP\/1\.1 413 [\s\S]*请求体过大/);
  expect(await asked(head(''))).toContain('JSON无效');
  const many = Array.from({ length: maxHeaders }, (_, i) => `X-${i}: 1`);
  expect(await asked(head(body, { headers: many }) + body)).toMatch(/^HTTP\/1\.1 431 /);
});

test('who waits for leave to send its body gets it', async () => {
  const body = callOf();
  const { socket, text } = caller();
  socket.write(head(body, { headers: ['Expect: 100-continue'] }));
  await until('leave to go on', () => text().startsWith('HTTP/1.1 100 Continue'));
  socket.write(body);
  await until('the answer', () => text().includes('"errno":0'));
});

test('a connection that ends before its body is counted, and harms nobody', async () => {
  const before = (await bigpipe.stats()).serverStats['receivedCall'] as number;
  const { socket } = caller();
  socket.write(head('x'.repeat(1000)) + 'x'.repeat(10));
  await until('it is connected', () => !socket.connecting);
  socket.end();
  await until('it is counted', async () => (await bigpipe.stats()).serverStats['receivedCall'] === before + 1);
  const body = callOf();
  expect(await asked(head(body) + body)).toContain('"errno":0');
});

test('a secret that was right on a connection opens it to no other', async () => {
  const { socket, text } = caller();
  const send = (body: string) => socket.write(head(body) + body);
  send(callOf());
  await answered(text, 1);
  send(callOf({ acl: { ...acl, secret: 'i am goof' } }));
  await answered(text, 2);
  send(callOf({ acl: { name: 'system-2', secret: acl.secret } }));
  await answered(text, 3);
  send(callOf());
  await answered(text, 4);
  expect(text().match(/"errno":-?\d+,"msg":"[^"]*"/g)).toEqual([
    '"errno":0,"msg":"发送成功"',
    '"errno":-1,"msg":"权限错误"',
    '"errno":-1,"msg":"权限错误"',
    '"errno":0,"msg":"发送成功"',
  ]);
});
