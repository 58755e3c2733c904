// Subscribe: a group's messages over a stream, by credits, each leased until it is acked, nacked, or its time is over.
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { sendLines } from '../support/messages-door.js';
import { Puller } from '../support/puller.js';
import { asSystem1, metadataOf, ReflectedClient } from '../support/reflected-client.js';
import { until } from '../support/until.js';

interface Answer {
  readonly delivery?: {
    readonly lease: string;
    readonly id: string;
    readonly key: Buffer;
    readonly body: Buffer;
    readonly attempt: number;
    readonly max_attempts: number;
    readonly redelivery: string;
    readonly offset: string;
    readonly type: string;
  };
  readonly fault?: { readonly lease: string; readonly code: string };
}

/** Each test has a topic and a group of its name. */
const consumers: Record<string, object> = {
  credits: {},
  order: {},
  leases: { retryBackoff: [1], retries: 5 },
  ends: {},
  late: {},
};
const names = Object.keys(consumers);

let bigpipe: BigpipeProcess;
let client: ReflectedClient;
const streams: ClientDuplexStream<unknown, Answer>[] = [];

beforeAll(async () => {
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'kafka.topics': names.map((name) => ({ name, partitions: 3 })),
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'credits', topics: names, pull: [...names, 'nobody'] },
      ],
      'kafka.consumer.list': names.map((name) =>
        baseConsumer({ topic: name, groupId: name, delivery: 'pull', timeout: 60_000, ...consumers[name] }),
      ),
    }),
  });
  client = await ReflectedClient.connect(`127.0.0.1:${bigpipe.grpcPort}`);
});

afterEach(() => {
  for (const call of streams.splice(0)) call.cancel();
});

afterAll(async () => {
  client.close();
  await bigpipe.dispose();
});

function subscribe(group: string, credits: number, more: object = {}, metadata = asSystem1) {
  const call = client.stub['Subscribe']?.(metadata) as ClientDuplexStream<unknown, Answer>;
  streams.push(call);
  const answers: Answer[] = [];
  call.on('data', (answer: Answer) => answers.push(answer));
  const ended = new Promise<ServiceError | null>((resolve) => {
    call.once('error', resolve);
    call.once('end', () => resolve(null));
  });
  call.write({ start: { group, ...more }, credits });
  const deliveries = () => answers.flatMap(({ delivery }) => delivery ?? []);
  const got = (count: number) =>
    until(`${count} messages have come`, () => (deliveries().length >= count ? deliveries() : null));
  return { call, answers, deliveries, got, ended };
}

const send = (topic: string, bodies: readonly string[], key?: string) =>
  sendLines(
    bigpipe,
    bodies.map((data) => ({ topic, data, ...(key === undefined ? {} : { key }) })),
  );
const texts = (deliveries: readonly { body: Buffer }[]) => deliveries.map(({ body }) => body.toString());
const pullStats = async () => ((await bigpipe.stats()) as unknown as { pullStats: Record<string, number> }).pullStats;

test('no more come than there are credits for, and each is acked by its lease', async () => {
  await send('credits', ['a', 'b', 'c', 'd']);
  const { call, deliveries, got } = subscribe('credits', 2);
  await got(2);
  await until('nobody is given more', async () => (await pullStats())['leased'] === 2);
  call.write({ acks: deliveries().map(({ lease }) => lease) });
  await until('they are settled', async () => (await pullStats())['acked'] === 2);
  expect(deliveries().length).toBe(2);
  call.write({ credits: 10 });
  expect(texts(await got(4)).sort()).toEqual(['a', 'b', 'c', 'd']);
  expect((await got(4))[3]).toMatchObject({ attempt: 1, max_attempts: 3, redelivery: '' });
  // Over HTTP it is the same lease.
  const [, , , last] = deliveries();
  expect((await new Puller(bigpipe.origin, 'credits').post('ack', { leases: [last?.lease] })).body).toEqual({
    done: 1,
  });
});

test('two streams share a group, and one key is out once at a time', async () => {
  const [one, two] = [subscribe('order', 100), subscribe('order', 100)];
  await until('both wait', async () => (await pullStats())['streams'] === 2);
  await send('order', ['a1', 'a2'], 'a');
  await send('order', ['b1'], 'b');
  await until('two have come', () => one.deliveries().length + two.deliveries().length === 2);
  expect(texts([...one.deliveries(), ...two.deliveries()]).sort()).toEqual(['a1', 'b1']);
  expect([one.deliveries().length, two.deliveries().length]).toEqual([1, 1]);
  for (const { call, deliveries } of [one, two]) call.write({ acks: deliveries().map(({ lease }) => lease) });
  await until('the next of its key has come', () => one.deliveries().length + two.deliveries().length === 3);
});

test('a heartbeat keeps what is held; without one it comes again; a nack may ask for a delay', async () => {
  const { call, answers, got } = subscribe('leases', 10, { lease: { seconds: 8 } });
  await send('leases', ['a']);
  const [first] = await got(1);
  const beating = setInterval(() => call.write({ heartbeat: true }), 50);
  try {
    const later = Date.now() + 9000;
    await until('more than its time has gone by', () => Date.now() > later);
    expect((await pullStats())['expired']).toBe(0);
  } finally {
    clearInterval(beating);
  }
  const [, second] = await got(2);
  expect([second?.attempt, second?.redelivery]).toEqual([2, 'lease']);
  call.write({ acks: [first?.lease], nacks: [{ lease: second?.lease, delay: { seconds: 0 }, reason: 'later' }] });
  const [, , third] = await got(3);
  expect([third?.attempt, third?.redelivery]).toEqual([3, 'nack']);
  call.write({ acks: [third?.lease] });
  expect(answers.find(({ fault }) => fault !== undefined)?.fault).toMatchObject({ lease: first?.lease, code: 'over' });
});

test('what a stream holds that ends goes to somebody else at once', async () => {
  const one = subscribe('ends', 10);
  await send('ends', ['a']);
  await one.got(1);
  one.call.end();
  expect(await one.ended).toBeNull();
  const [again] = await subscribe('ends', 10).got(1);
  expect([again?.attempt, again?.redelivery]).toEqual([2, 'nack']);
});

test('every wrong request ends its stream with what is wrong', async () => {
  const codes = async (group: string, credits: number, more: object = {}, metadata = asSystem1) =>
    (await subscribe(group, credits, more, metadata).ended)?.code;
  expect({
    stranger: await codes('ends', 1, {}, metadataOf({ authorization: basic('system-1', 'wrong') })),
    forbidden: await codes('others', 1),
    unknown: await codes('nobody', 1),
    greedy: await codes('ends', 10_001),
    long: await codes('ends', 1, { lease: { seconds: 43_201 } }),
    nameless: await codes('', 1),
  }).toEqual({
    stranger: status.UNAUTHENTICATED,
    forbidden: status.PERMISSION_DENIED,
    unknown: status.NOT_FOUND,
    greedy: status.INVALID_ARGUMENT,
    long: status.INVALID_ARGUMENT,
    nameless: status.INVALID_ARGUMENT,
  });
  await until('none of them waits', async () => (await pullStats())['streams'] === 0);
});

test('a drain ends the stream, and what it held comes again', async () => {
  const stream = subscribe('late', 10);
  await send('late', ['a']);
  await stream.got(1);
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect((await stream.ended)?.code).toBe(status.UNAVAILABLE);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  const [again] = await new Puller(bigpipe.origin, 'late').pull();
  expect(again?.id).toBe(stream.deliveries()[0]?.id);
});
