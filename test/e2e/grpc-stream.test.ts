// PublishStream: every message is answered by itself, in order, within a window; a stream ends with what it was told.
import { type ClientDuplexStream, type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { asSystem1, metadataOf, ReflectedClient } from '../support/reflected-client.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

interface Answer {
  readonly sequence: string;
  readonly published?: { readonly id: string; readonly durability: string };
  readonly refused?: { readonly code: number; readonly message: string };
}

let target: TargetServer;
let bigpipe: BigpipeProcess;
let client: ReflectedClient;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'kafka.consumer.list': [baseConsumer({ concurrency: 1 })],
    }),
  });
  client = await ReflectedClient.connect(`127.0.0.1:${bigpipe.grpcPort}`);
});

afterEach(() => {
  target.arrivals.length = 0;
});

afterAll(async () => {
  client.close();
  await bigpipe.dispose();
  await target.close();
});

interface Stream {
  readonly call: ClientDuplexStream<unknown, Answer>;
  readonly answers: Answer[];
  readonly window: Promise<string | undefined>;
  /** null: it ended well. */
  readonly ended: Promise<ServiceError | null>;
}

function open(metadata: Metadata = asSystem1, deadlineMs?: number): Stream {
  const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  const call = client.stub['PublishStream']?.(metadata, options) as Stream['call'];
  const answers: Answer[] = [];
  call.on('data', (answer: Answer) => answers.push(answer));
  const window = new Promise<string | undefined>((resolve) => {
    call.once('metadata', (initial: Metadata) => resolve(initial.get('bigpipe-window')[0]?.toString()));
  });
  const ended = new Promise<ServiceError | null>((resolve) => {
    call.once('error', resolve);
    call.once('end', () => resolve(null));
  });
  return { call, answers, window, ended };
}

test('a thousand messages are stored in their order, and each is answered', async () => {
  const { call, answers, window, ended } = open();
  const numbers = Array.from({ length: 1000 }, (_, i) => i);
  for (const i of numbers) {
    const body = Buffer.from(`${i}`);
    call.write({ sequence: i + 1, message: { url: target.url(), key: Buffer.from('k'), body } });
  }
  call.end();
  expect([await window, await ended]).toEqual(['256', null]);
  expect(answers.map(({ sequence }) => Number(sequence))).toEqual(numbers.map((i) => i + 1));
  expect(new Set(answers.map(({ published }) => published?.durability))).toEqual(new Set(['fsync']));
  expect(new Set(answers.map(({ published }) => published?.id)).size).toBe(1000);
  await until('all have arrived', () => target.arrivals.length === 1000);
  expect(target.arrivals.map(({ body }) => Number(body.toString()))).toEqual(numbers);
});

test('what is wrong with one message is told of that one', async () => {
  const { call, answers, ended } = open();
  const good = { url: target.url() };
  for (const message of [good, { url: 'x' }, good, undefined, { topic: 'none' }]) call.write({ sequence: 7, message });
  call.end();
  expect(await ended).toBe(null);
  expect(answers.map(({ published, refused }) => refused?.code ?? published?.durability)).toEqual([
    'fsync',
    status.INVALID_ARGUMENT,
    'fsync',
    status.INVALID_ARGUMENT,
    status.PERMISSION_DENIED,
  ]);
});

test('a caller who is not known ends his stream, and an empty one ends well', async () => {
  const stranger = open(metadataOf({}));
  stranger.call.write({ message: { url: target.url() } });
  expect((await stranger.ended)?.code).toBe(status.UNAUTHENTICATED);
  const empty = open();
  empty.call.end();
  expect(await empty.ended).toBe(null);
});

test('a deadline ends a stream, what was answered is delivered', async () => {
  const { call, answers, ended } = open(asSystem1, 3000);
  call.write({ message: { url: target.url() } });
  expect((await ended)?.code).toBe(status.DEADLINE_EXCEEDED);
  if (answers.length > 0) await until('it has arrived', () => target.arrivals.length === 1);
});
