// What strangers send to the gRPC listener: no HTTP/2, broken frames, broken messages, lies about lengths. Others are served meanwhile.
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { ReflectedClient } from '../support/reflected-client.js';
import { Seeded, seedOfRun } from '../support/seeded.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let client: ReflectedClient;

beforeAll(async () => {
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'grpc.server.port': 0, 'grpc.server.host': '127.0.0.1', 'kafka.consumer.list': [] }),
  });
  client = await ReflectedClient.connect(`127.0.0.1:${bigpipe.grpcPort}`);
});

afterAll(async () => {
  client.close();
  await bigpipe.dispose();
});

/** Whatever was sent, somebody else is served behind it. */
afterEach(async () => {
  await client.publish({ topic: 'test' });
});

/** Resolves to what came back by the time the other side closed. */
function sendRaw(bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket: Socket = connect(bigpipe.grpcPort, '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const noSettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

test('what is no HTTP/2 is closed', async () => {
  const texts = [
    '',
    '\0',
    'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
    'x'.repeat(100_000),
  ];
  for (const text of texts) await sendRaw(Buffer.from(text));
  expect(bigpipe.child.exitCode).toBe(null);
});

test('frames that are broken in any way end their connection and nothing else', async () => {
  const seeded = new Seeded(seedOfRun());
  console.log(`SEED=${seeded.seed}`);
  for (let i = 0; i < 100; i += 1) {
    const frames = Array.from({ length: 1 + seeded.below(20) }, () => {
      const payload = Buffer.from(Array.from({ length: seeded.below(60) }, () => seeded.below(256)));
      const length = seeded.below(4) === 0 ? seeded.below(0x1000000) : payload.length;
      const head = Buffer.alloc(9);
      head.writeUIntBE(length, 0, 3);
      head[3] = seeded.below(12);
      head[4] = seeded.below(256);
      head.writeUInt32BE(seeded.below(8), 5);
      return Buffer.concat([head, payload]);
    });
    await sendRaw(Buffer.concat([preface, noSettings, ...frames]));
  }
  expect(bigpipe.child.exitCode).toBe(null);
});

interface Answered {
  readonly http: number | undefined;
  readonly grpc: string | undefined;
  readonly rstCode: number;
}

let session: ClientHttp2Session | null = null;

/** One request as any HTTP/2 client might make it. */
function request(headers: OutgoingHttpHeaders, body: Buffer): Promise<Answered> {
  if (session === null || session.closed) {
    session = connectHttp2(`http://127.0.0.1:${bigpipe.grpcPort}`);
    session.on('error', () => undefined);
  }
  const stream = session.request({
    ':method': 'POST',
    ':path': '/bigpipe.v1.Bigpipe/Publish',
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: basic('system-1', 'i am good'),
    ...headers,
  });
  return new Promise((resolve) => {
    let [http, grpc]: [number | undefined, string | undefined] = [undefined, undefined];
    stream.on('response', (head) => {
      http = head[':status'];
      grpc = head['grpc-status']?.toString();
    });
    stream.on('trailers', (trailers) => {
      grpc = trailers['grpc-status']?.toString();
    });
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ http, grpc, rstCode: stream.rstCode }));
    stream.resume();
    stream.end(body);
  });
}

function framed(message: Buffer, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** PublishRequest{message{topic: "test"}} */
const good = Buffer.from([0x0a, 6, 0x12, 4, ...Buffer.from('test')]);

const requests: [what: string, headers: OutgoingHttpHeaders, body: Buffer, grpc: string | undefined][] = [
  ['a good one', {}, framed(good), '0'],
  ['a good one, compressed', { 'grpc-encoding': 'gzip' }, framed(gzipSync(good), { flag: 1 }), '0'],
  ['bytes that are no message', {}, framed(Buffer.from([0xff, 0xff, 0xff])), '13'],
  ['a message that ends too early', {}, framed(good.subarray(0, 5)), '13'],
  ['a length that says more than any message may have', {}, framed(good, { length: 0xffffffff }), '8'],
  ['a compression that there is not', { 'grpc-encoding': 'snappy' }, framed(good, { flag: 1 }), '12'],
  ['what is not compressed as it says', { 'grpc-encoding': 'gzip' }, framed(good, { flag: 1 }), '13'],
  ['a bomb', { 'grpc-encoding': 'gzip' }, framed(gzipSync(Buffer.alloc(50_000_000)), { flag: 1 }), '8'],
  ['a deadline that is none', { 'grpc-timeout': 'soon' }, framed(good), '13'],
  ['no message at all', {}, Buffer.alloc(0), '12'],
  ['no such method', { ':path': '/bigpipe.v1.Bigpipe/Nothing' }, framed(good), '12'],
  ['no path of a method', { ':path': '/' }, framed(good), '12'],
  ['credentials that are none', { authorization: 'Basic ???' }, framed(good), '16'],
];

test.each(requests)('%s', async (_what, headers, body, grpc) => {
  expect(await request(headers, body)).toMatchObject({ http: 200, grpc });
});

test('what is no gRPC is told so in HTTP', async () => {
  expect(await request({ 'content-type': 'application/json' }, Buffer.from('{}'))).toMatchObject({ http: 415 });
});

test('a request that breaks off is forgotten', async () => {
  for (let i = 0; i < 20; i += 1) {
    const client = connectHttp2(`http://127.0.0.1:${bigpipe.grpcPort}`);
    client.on('error', () => undefined);
    const stream = client.request({
      ':method': 'POST',
      ':path': `/bigpipe.v1.Bigpipe/${i % 2 === 0 ? 'PublishStream' : 'Publish'}`,
      'content-type': 'application/grpc',
      authorization: basic('system-1', 'i am good'),
    });
    stream.on('error', () => undefined);
    stream.write(framed(good, { length: 1000 }));
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    client.destroy();
  }
  await until('nothing is left of them', async () => {
    const { grpcStats } = (await bigpipe.stats()) as unknown as { grpcStats: { streams: number } };
    return grpcStats.streams === 0;
  });
});
