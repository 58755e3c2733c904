// Groups whose messages are fetched: leases, acks, nacks, order per key, and clear answers to all else.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { askManagement, type Letter } from '../support/dead-letters-page.js';
import { send as sendMessage, stateOf } from '../support/messages-door.js';
import { type Pulled, Puller, textOf } from '../support/puller.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { explain, untilBacklog } from '../support/why-waiting.js';

/** Each test has a topic and a group of its name. */
const consumers: Record<string, object> = {
  whole: {},
  waits: {},
  answers: {},
  narrow: { concurrency: 2 },
  short: { retries: 1, timeout: 2000, retryBackoff: [1] },
  nacks: { retries: 5, retryBackoff: [3_600_000] },
  wrong: {},
  late: {},
};
const names = Object.keys(consumers);
const topics = [...names, 'pushed'].map((name) => ({ name, partitions: 3 }));
const acl = [
  { name: 'system-1', secret: 'i am good', topic: 'whole', topics: names, pull: [...names, 'pushed', 'nobody'] },
  { name: 'colleague', secret: 'me too', topic: 'whole', pull: ['wrong'] },
  { name: 'stranger', secret: 'who', topic: 'whole' },
];

let bigpipe: BigpipeProcess;

async function start(changes: object = {}): Promise<void> {
  const pulled = names.map((name) =>
    baseConsumer({ topic: name, groupId: name, delivery: 'pull', timeout: 60_000, ...consumers[name] }),
  );
  const list = [...pulled, baseConsumer({ topic: 'pushed', groupId: 'pushed' })];
  const config = { 'kafka.topics': topics, 'kafka.producer.acl': acl, 'kafka.consumer.list': list, ...changes };
  bigpipe = await BigpipeProcess.start({ config: baseConfig(config) });
}

beforeAll(() => start());
afterAll(() => bigpipe.dispose());

const pullerOf = (group: string, who?: [name: string, secret: string]) => new Puller(bigpipe.origin, group, who);

async function send(topic: string, body: string, headers: Record<string, string> = {}): Promise<void> {
  const { status } = await sendMessage(bigpipe, { 'bigpipe-topic': topic, ...headers }, body);
  expect(status).toBe(202);
}

const pullStats = async () => ((await bigpipe.stats()) as unknown as { pullStats: Record<string, number> }).pullStats;
const untilWaiting = (count: number) => until(`${count} wait`, async () => (await pullStats())['waiting'] === count);

async function lettersOf(name: string): Promise<readonly Letter[]> {
  const { answer } = await askManagement(bigpipe, 'GET', `/dlq/${name}/${name}`);
  return (answer as { letters: Letter[] }).letters;
}

/** The only one. */
async function one(messages: Promise<readonly Pulled[]>): Promise<Pulled> {
  const [first, ...others] = await messages;
  if (first === undefined || others.length > 0) throw new Error(`not one message: ${others.length + 1}`);
  return first;
}

test('a message is fetched whole, without a URL, and is settled by its ack', async () => {
  const puller = pullerOf('whole');
  await send('whole', 'a', {
    'bigpipe-key': 'k',
    'bigpipe-type': 'order.paid',
    'bigpipe-message-id': 'id-a',
    'bigpipe-forward-x-own': 'y',
    'content-type': 'text/plain',
  });
  const message = await one(puller.pull());
  expect(message).toMatchObject({
    id: 'id-a',
    topic: 'whole',
    offset: '0',
    attempt: 1,
    maxAttempts: 3,
    key: 'k',
    type: 'order.paid',
    content_type: 'text/plain',
    headers: { 'x-own': 'y' },
    data_base64: Buffer.from('a').toString('base64'),
  });
  expect(Date.parse(message.leaseUntil)).toBeGreaterThan(Date.now());
  expect((await puller.ack(message)).body).toEqual({ done: 1 });
  // Whoever did not get the answer asks again.
  expect((await puller.ack(message)).body).toEqual({ done: 1 });
  await until('it is settled', async () => (await stateOf(bigpipe, 'id-a')).deliveries[0]?.state === 'settled');
  expect(await puller.pull({ waitSeconds: 0 })).toEqual([]);
});

test('who waits gets a message as it comes; one key is out once at a time', async () => {
  const puller = pullerOf('waits');
  const waiting = puller.pull();
  await untilWaiting(1);
  for (const body of ['a1', 'a2', 'a3']) await send('waits', body, { 'bigpipe-key': 'a' });
  const first = await waiting;
  expect(first.map(textOf)).toEqual(['a1']);
  await send('waits', 'b1', { 'bigpipe-key': 'b' });
  expect((await puller.pull({ max: 10 })).map(textOf)).toEqual(['b1']);
  expect(await puller.pull({ waitSeconds: 0 })).toEqual([]);
  await puller.ack(...first);
  expect((await puller.pull()).map(textOf)).toEqual(['a2']);
});

test('who wants the answer is told that it was acked, at once or by a callback', async () => {
  const target = await TargetServer.start();
  try {
    const puller = pullerOf('answers');
    const waiting = sendMessage(bigpipe, {
      'bigpipe-topic': 'answers',
      'bigpipe-callback-url': target.url('/back'),
      prefer: 'wait=20',
    });
    await puller.ack(await one(puller.pull()));
    expect((await waiting).status).toBe(204);
    await until('the callback has come', () => target.arrivals.length === 1);
    expect(target.arrivals[0]?.headers['bigpipe-reply-status']).toBe('204');
    expect(await puller.pull({ waitSeconds: 0 })).toEqual([]);
  } finally {
    await target.close();
  }
});

test('no more are leased at once than the concurrency; explain says what the others wait for', async () => {
  const puller = pullerOf('narrow');
  for (let i = 0; i < 5; i += 1) await send('narrow', `m${i}`, { 'bigpipe-message-id': `m${i}` });
  await untilBacklog(bigpipe, { pull: 5 }, 'narrow');
  const { destination, waitingFor } = await explain(bigpipe, { id: 'm4' });
  expect([destination, waitingFor[0]?.reason]).toEqual(['pull', 'pull']);
  const first = await puller.pull({ max: 10 });
  expect(first.length).toBe(2);
  expect(await puller.pull({ max: 10, waitSeconds: 0 })).toEqual([]);
  expect(await explain(bigpipe, { id: first[0]?.id ?? '' })).toMatchObject({ state: 'in flight' });
  await puller.ack(...first);
  expect((await puller.pull({ max: 1 })).length).toBe(1);
});

test('a lease that is never renewed ends, and is a failed attempt; one that is extended goes on', async () => {
  const puller = pullerOf('short');
  await send('short', 'a', { 'bigpipe-key': 'k', 'bigpipe-message-id': 'id-short' });
  const first = await one(puller.pull());
  const second = await one(puller.pull());
  expect([first.attempt, second.attempt, second.redelivery]).toEqual([1, 2, 'lease']);
  expect(await puller.ack(first)).toMatchObject({
    status: 409,
    body: { code: 'lease-lost', errors: [{ detail: 'the lease is over: expired', pointer: '#/leases/0' }] },
  });
  const [letter] = await until('the last one has ended', async () => {
    const letters = await lettersOf('short');
    return letters.length === 1 && letters;
  });
  expect(letter).toMatchObject({ id: 'id-short', history: { reason: 'exhausted', attempts: '2' } });
  await send('short', 'b');
  const kept = await one(puller.pull({ leaseSeconds: 60 }));
  expect((await puller.extend([kept], 5)).body).toEqual({ done: 1 });
  expect((await puller.extend([kept], 60)).body).toEqual({ done: 1 });
  await send('short', 'c');
  // It outlives the first extension of the other.
  await one(puller.pull({ leaseSeconds: 6 }));
  await until('the other has ended', async () => (await pullStats())['expired'] === 3);
  expect((await puller.ack(kept)).body).toEqual({ done: 1 });
});

test('a nack is a failed attempt, after the delay that it asks for; a rejected one is a dead letter at once', async () => {
  const puller = pullerOf('nacks');
  await send('nacks', 'a');
  const first = await one(puller.pull());
  expect((await puller.nack([first], { delaySeconds: 0, reason: 'not now' })).body).toEqual({ done: 1 });
  const second = await one(puller.pull());
  expect([second.attempt, second.redelivery]).toEqual([2, 'nack']);
  await puller.nack([second], { reject: true, reason: 'no such order' });
  const [letter] = await until('it is a dead letter', async () => {
    const letters = await lettersOf('nacks');
    return letters.length === 1 && letters;
  });
  expect(letter).toMatchObject({ history: { reason: 'rejected', detail: 'no such order' } });
});

test('every wrong request is told what is wrong', async () => {
  const puller = pullerOf('wrong');
  await send('wrong', 'a');
  const mine = await one(puller.pull());
  const answers = {
    stranger: await pullerOf('wrong', ['stranger', 'who']).post('pull', {}),
    nobody: await pullerOf('wrong', ['system-1', 'wrong']).post('pull', {}),
    unknown: await pullerOf('nobody').post('pull', {}),
    pushed: await pullerOf('pushed').post('pull', {}),
    others: await pullerOf('wrong', ['colleague', 'me too']).ack(mine),
    both: await puller.post('ack', { leases: [mine.lease, 'there is none'] }),
    many: await puller.post('ack', { leases: Array.from({ length: 1001 }, () => 'x') }),
    greedy: await puller.post('pull', { max: 1001, waitSeconds: -1, leaseSeconds: 0, often: true }),
    noJson: await puller.post('pull', '[1]'),
    noLease: await puller.post('extend', { leases: ['x'] }),
  };
  const told = Object.entries(answers).map(([name, { status, body }]) => [name, [status, body.code]]);
  expect(Object.fromEntries(told)).toEqual({
    stranger: [403, 'forbidden'],
    nobody: [401, 'unauthorized'],
    unknown: [404, 'unknown-group'],
    pushed: [409, 'not-pulled'],
    others: [409, 'lease-lost'],
    both: [200, undefined],
    many: [400, 'invalid-request'],
    greedy: [400, 'invalid-request'],
    noJson: [400, 'invalid-request'],
    noLease: [400, 'invalid-request'],
  });
  expect(answers.others.body.errors).toEqual([{ detail: 'the lease of somebody else', pointer: '#/leases/0' }]);
  expect(answers.both.body).toMatchObject({ done: 1, failed: [{ lease: 'there is none', code: 'unknown' }] });
  const pointers = answers.greedy.body.errors?.map(({ pointer }) => pointer);
  expect(pointers).toEqual(['#/often', '#/max', '#/waitSeconds', '#/leaseSeconds']);
});

test('a drain answers who waits, and what is leased comes again after it', async () => {
  const puller = pullerOf('late');
  await send('late', 'a');
  const held = await one(puller.pull());
  const waiting = puller.pull();
  await untilWaiting(1);
  const { directory } = bigpipe;
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(await waiting).toEqual([]);
  bigpipe = await BigpipeProcess.start({ directory });
  const again = await one(pullerOf('late').pull());
  expect([again.id, again.redelivery]).toEqual([held.id, 'rebalance']);
  expect(await pullerOf('late').ack(held)).toMatchObject({ status: 409, body: { code: 'lease-lost' } });
});
