// examples/calculator as its one command starts it, driven as the demo's own client does, and as nobody should.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Client, type ClientUnaryCall, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CalculateClient, type CalculateRequest, type CalculateResponse } from '../../examples/calculator/calculate.ts';
import { basic } from '../support/credentials.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { metadataOf, ReflectedClient } from '../support/reflected-client.js';
import { until } from '../support/until.js';

type Calculator = Client & {
  Calculate(
    request: Partial<CalculateRequest>,
    metadata: Metadata,
    options: { deadline?: number },
    answer: (error: ServiceError | null, response: CalculateResponse) => void,
  ): ClientUnaryCall;
};

const start = fileURLToPath(new URL('../../examples/calculator/start.ts', import.meta.url));
const secret = 'only for this test';
/** Four processes start one after the other. */
const patienceMs = 50_000;
const lines: string[] = [];
let redis: RedisServer | null = null;
let directory: string;
let demo: ChildProcess;
let exited: Promise<number | null>;
let client: Calculator | undefined;

beforeAll(async () => {
  redis = hasRedis ? await RedisServer.start() : null;
  directory = await mkdtemp(join(tmpdir(), 'calculator-'));
  const env = { ...process.env, BIGPIPE_DATA_DIR: directory, CALCULATOR_SECRET: secret };
  demo = spawn(process.execPath, [start, '--port', '0'], {
    env: redis === null ? env : { ...env, REDIS_URL: redis.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  exited = new Promise((resolve) => demo.once('exit', resolve));
  createInterface({ input: demo.stdout as NodeJS.ReadableStream }).on('line', (line) => lines.push(line));
  const address = await until('it listens', () => found(/^calculator listens on (\S+)/), patienceMs);
  await until('the worker is there', () => found(/^worker (\d+) is ready/), patienceMs);
  client = new CalculateClient(address, credentials.createInsecure()) as unknown as Calculator;
});

afterAll(async () => {
  client?.close();
  if (demo.exitCode === null) demo.kill('SIGTERM');
  await exited;
  await redis?.kill();
  await rm(directory, { recursive: true, force: true });
});

/** The newest line's. */
const found = (pattern: RegExp) => lines.map((line) => pattern.exec(line)?.[1]).findLast((text) => text !== undefined);

interface Answer extends CalculateResponse {
  readonly id: string | undefined;
}

function calculate(
  method: string,
  num1: number,
  num2: number,
  { deadlineMs = 60_000, key = '' } = {},
): Promise<Answer> {
  const metadata = new Metadata();
  if (key !== '') metadata.set('idempotency-key', key);
  return new Promise((resolve, reject) => {
    let id: string | undefined;
    const options = { deadline: Date.now() + deadlineMs };
    const asking = (client as Calculator).Calculate(
      { name: 'Ada', method, num1, num2 },
      metadata,
      options,
      (error, answer) => {
        if (error === null) resolve({ ...answer, id });
        else reject(error);
      },
    );
    asking.on('metadata', (told: Metadata) => {
      id = told.get('request-id')[0]?.toString();
    });
  });
}

test.each([
  ['+', 3, 4, 7],
  ['-', 3, 4, -1],
  ['*', -3, 4, -12],
  ['/', 7, -2, -3.5],
  ['/', 0, 5, 0],
  ['+', 16_777_217, 0, 16_777_217],
  ['+', 2_147_483_647, 2_147_483_647, 4_294_967_294],
  ['-', -2_147_483_648, 1, -2_147_483_649],
])('%s of %d and %d is %d', async (method, num1, num2, result) => {
  const answer = await calculate(method, num1, num2);
  expect(answer).toMatchObject({ successFlag: true, result });
  expect(answer.message).toMatch(/^Hello! Ada!This is Server: localhost:\d+$/);
});

test.each(['&&&', '--', '++', '**', '//', '^^^', '', '1:2', 'Normal:0:1:3+4', '\u{1F4A5}'])(
  '%j is no method, and is told so',
  async (method) => {
    const answer = await calculate(method, 1, 2);
    expect(answer).toMatchObject({
      successFlag: false,
      result: 0,
      message: expect.stringContaining('allowed: + - * /'),
    });
  },
);

test('a division by zero is told so', async () => {
  for (const num1 of [1, 0, -1]) {
    expect(await calculate('/', num1, 0)).toMatchObject({ successFlag: false, message: 'division by zero' });
  }
});

test('many at once get each their own answer, under ids of their own', async () => {
  const numbers = Array.from({ length: 200 }, (_, i) => i - 100);
  const answers = await Promise.all(numbers.map((i) => calculate('*', i, 3)));
  expect(answers.map(({ result }) => result)).toEqual(numbers.map((i) => i * 3 + 0));
  const ids = answers.map(({ id }) => id);
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(200);
});

test('a worker that is killed in mid-call costs time and nothing else', async () => {
  const pid = Number(found(/^worker (\d+) is ready/));
  process.kill(pid, 'SIGSTOP');
  const asked = Promise.all([calculate('+', 20, 22), calculate('&&&', 1, 1)]);
  const late = calculate('+', 1, 1, { deadlineMs: 500, key: 'late' }).catch((error: ServiceError) => error);
  expect(await late).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  process.kill(pid, 'SIGKILL');
  await until('there is another one', () => Number(found(/^worker (\d+) is ready/)) !== pid, patienceMs);
  expect(await asked).toMatchObject([{ successFlag: true, result: 42 }, { successFlag: false }]);
  // Its caller had gone: who asks again gets what was calculated meanwhile.
  expect(await calculate('+', 1, 1, { key: 'late' })).toMatchObject({ successFlag: true, result: 2 });
});

test('bytes that are no request are refused in front, and behind the bus a dead letter; nothing loops', async () => {
  const [port, management] = ['the bus: gRPC (\\d+)', 'management (\\S+)$'].map((text) => found(new RegExp(text)));
  const garbage = Buffer.from([0x0a, 0xff, 0xff]);
  const path = '/CalculateService_proto.CalculateService/Calculate';
  const refused = new Promise<ServiceError | null>((resolve) => {
    const same = (bytes: Buffer) => bytes;
    client?.makeUnaryRequest(path, same, same, garbage, (error: ServiceError | null) => resolve(error));
  });
  expect((await refused)?.code).toBe(status.INTERNAL);
  const before = await openLetters(String(management));
  const bus = await ReflectedClient.connect(`127.0.0.1:${port}`);
  const message = { topic: 'calculate', body: garbage };
  await bus.publish(message, metadataOf({ authorization: basic('calculator', secret) }));
  await until('it is a dead letter', async () => (await openLetters(String(management))) === before + 1);
  expect(await calculate('+', 1, 2)).toMatchObject({ result: 3 });
  bus.close();
});

test('a signal ends all of it', async () => {
  demo.kill('SIGTERM');
  expect(await exited).toBe(0);
});

async function openLetters(management: string): Promise<number> {
  const [kept] = (await (await fetch(`${management}/dlq`)).json()) as { open: number }[];
  return kept?.open ?? 0;
}
