// The listener over gRPC: health checks, TLS and client certificates, a thousand streams, and its end.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  type Metadata,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Authority } from '../support/certificates.js';
import { asSystem1, ReflectedClient } from '../support/reflected-client.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let authority: Authority;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  authority = new Authority();
  target = await TargetServer.start();
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  target.arrivals.length = 0;
});

afterAll(async () => {
  authority.dispose();
  await target.close();
});

async function start(changes: Config = {}): Promise<BigpipeProcess> {
  const bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'grpc.server.port': 0, 'grpc.server.host': '127.0.0.1', ...changes }),
  });
  closing.push(() => bigpipe.dispose());
  return bigpipe;
}

async function connect({ grpcPort }: BigpipeProcess, channel = credentials.createInsecure()): Promise<ReflectedClient> {
  const client = await ReflectedClient.connect(`127.0.0.1:${grpcPort}`, channel);
  closing.push(() => client.close());
  return client;
}

interface HealthMethod {
  readonly path: string;
  readonly requestSerialize: (request: { service: string }) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => { status: string };
}

function healthOf({ grpcPort }: BigpipeProcess) {
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
  closing.push(() => client.close());
  const method = (name: 'Check' | 'Watch') => healthService[name] as unknown as HealthMethod;
  const check = (name: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method('Check');
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service: name }, (error, answer) =>
        error === null ? resolve(String(answer?.status)) : reject(error),
      );
    });
  const watch = (name: string): ClientReadableStream<{ status: string }> => {
    const { path, requestSerialize, responseDeserialize } = method('Watch');
    return client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: name });
  };
  return { check, watch };
}

test('a signal is told to whoever watches, ends streams that are open, and loses nothing that was answered', async () => {
  let release = () => undefined as unknown;
  const released = new Promise((resolve) => {
    release = () => resolve(null);
  });
  target.script = async (_arrival, response) => {
    await released;
    response.end();
  };
  const bigpipe = await start({
    'http.server.read.timeout': 60_000,
    'kafka.consumer.list': [baseConsumer({ timeout: 300_000, retries: 0 })],
  });
  const { check, watch } = healthOf(bigpipe);
  const client = await connect(bigpipe);
  expect(await Promise.all(['', 'bigpipe.v1.Bigpipe'].map(check))).toEqual(['SERVING', 'SERVING']);
  await expect(check('other')).rejects.toMatchObject({ code: status.NOT_FOUND });
  const told: string[] = [];
  const watched = new Promise((resolve) => {
    const watching = watch('');
    watching.on('data', ({ status: word }) => told.push(word));
    watching.on('error', resolve);
    watching.on('end', resolve);
  });
  await until('the watch is answered', () => told.length === 1);
  const stream = client.stub['PublishStream']?.(asSystem1) as ClientDuplexStream<object, object>;
  const answers: object[] = [];
  stream.on('data', (answer: object) => answers.push(answer));
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  stream.write({ sequence: 1, message: { url: target.url() } });
  await until('it is answered', () => answers.length === 1);
  const waiting = client.refusal(client.ask('Call', { message: { url: target.url() } }));
  await until('both are under way', () => target.arrivals.length === 2);
  const exited = bigpipe.end('SIGTERM');
  await until('it is told', () => told.includes('NOT_SERVING'));
  expect((await ended).code).toBe(status.UNAVAILABLE);
  expect((await waiting).code).toBe(status.DEADLINE_EXCEEDED);
  await watched;
  release();
  expect(await exited).toBe(0);
});

test('over TLS, with certificates that callers must show, and that change', async () => {
  const place = (name: string) => join(authority.directory, name);
  const use = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => {
    copyFileSync(keyFile, place('grpc.key'));
    copyFileSync(certFile, place('grpc.pem'));
  };
  use(authority.issue('first'));
  const bigpipe = await start({
    'grpc.server.tls.cert': place('grpc.pem'),
    'grpc.server.tls.key': place('grpc.key'),
    'grpc.server.tls.client.ca': authority.caFile,
  });
  const { cert, key } = authority.issue('caller');
  const [ca, ...own] = [authority.ca, key, cert].map((text) => Buffer.from(text));
  const client = await connect(bigpipe, credentials.createSsl(ca, ...own));
  expect(await client.publish({ url: target.url() })).toMatchObject({ durability: 'fsync' });
  await expect(connect(bigpipe, credentials.createSsl(ca))).rejects.toMatchObject({ code: status.UNAVAILABLE });
  await expect(connect(bigpipe)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  use(authority.issue('second'));
  await until('they are read again', () => bigpipe.log.some(({ msg }) => msg === 'certificates read again'));
  expect(await client.publish({ url: target.url() })).toMatchObject({ durability: 'fsync' });
  expect(await (await connect(bigpipe, credentials.createSsl(ca, ...own))).publish({ url: target.url() })).toBeTruthy();
});

test('a thousand streams on one connection are served at the same time', async () => {
  const bigpipe = await start({ 'kafka.consumer.list': [] });
  const client = await connect(bigpipe);
  const streams = Array.from({ length: 1000 }, () => {
    const stream = client.stub['PublishStream']?.(asSystem1) as ClientDuplexStream<object, object>;
    const ended = new Promise<string>((resolve, reject) => {
      stream.once('end', () => resolve('well'));
      stream.once('error', reject);
    });
    const seen = { stream, answers: [] as object[], opened: false, ended };
    stream.on('data', (answer: object) => seen.answers.push(answer));
    stream.once('metadata', (_metadata: Metadata) => {
      seen.opened = true;
    });
    return seen;
  });
  await until('all are open', () => streams.every(({ opened }) => opened), 60_000);
  for (const { stream } of streams) stream.write({ sequence: 1, message: { topic: 'test', body: Buffer.from('a') } });
  await until('all are answered', () => streams.every(({ answers }) => answers.length === 1), 60_000);
  expect((await bigpipe.stats()) as unknown).toMatchObject({ grpcStats: { streams: 1000 } });
  for (const { stream } of streams) stream.end();
  expect(new Set(await Promise.all(streams.map(({ ended }) => ended)))).toEqual(new Set(['well']));
  expect((await bigpipe.stats()) as unknown).toMatchObject({ grpcStats: { accepted: 1000, refused: 0 } });
});
