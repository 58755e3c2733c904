// Transactions over gRPC, by a client that knows only what reflection tells: what /v1/transactions does, with statuses that mean what they say.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { metadataOf, ReflectedClient } from '../support/reflected-client.js';
import { TargetServer } from '../support/target-server.js';
import { bodiesAt, checksAt, decide, transactionConfig, transactionOf } from '../support/transactions.js';
import { until } from '../support/until.js';

interface Told {
  readonly transaction: Readonly<Record<string, unknown>>;
}

let target: TargetServer;
let bigpipe: BigpipeProcess;
let client: ReflectedClient;
let says: string;

beforeAll(async () => {
  target = await TargetServer.start(({ path }, response) => {
    response.end(path === '/check' ? JSON.stringify({ state: says }) : '');
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'http.server.max.body.size': 1024,
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'test' },
        { name: 'system-2', secret: 'me too', topic: 'test', checkUrls: [target.url('/check')] },
      ],
      'kafka.consumer.list': [baseConsumer()],
      ...transactionConfig({ 'transaction.max.undecided': 50 }),
    }),
  });
  client = await ReflectedClient.connect(`127.0.0.1:${bigpipe.grpcPort}`);
}, 180_000);

beforeEach(() => {
  says = 'unknown';
  target.arrivals.length = 0;
});

afterAll(async () => {
  client.close();
  await bigpipe.dispose();
  await target.close();
});

const other = metadataOf({ authorization: basic('system-2', 'me too') });
const toTarget = (text: string, more: object = {}) => ({ url: target.url('/in'), body: Buffer.from(text), ...more });
const begin = (messages: object[], more: object = {}) =>
  client.ask('BeginTransaction', { messages, check_urls: [target.url('/check')], ...more });
const idOf = async (text: string, more: object = {}) => String((await begin([toTarget(text)], more))['id']);
const ask = async (method: string, id: string, metadata?: ReturnType<typeof metadataOf>) =>
  ((await client.ask(method, { id }, metadata)) as unknown as Told).transaction;

test('committed: all its messages, in order, and not before', async () => {
  const key = Buffer.from([0xff, 7]);
  const begun = await begin([toTarget('1', { key }), toTarget('2', { key })]);
  const { id, message_ids: ids } = begun as { id: string; message_ids: string[] };
  expect(begun).toEqual({ id: expect.stringMatching(/^txn_/), durability: 'fsync', replayed: false, message_ids: ids });
  const open = await ask('GetTransaction', id);
  expect(open).toMatchObject({
    id,
    state: 'TRANSACTION_STATE_UNDECIDED',
    check_urls: [target.url('/check')],
    next_check_at: { seconds: expect.any(String) },
    messages: ids.map((message) => ({ id: message, topic: 'test', url: target.url('/in'), key })),
  });
  expect(open).not.toHaveProperty('decided_at');
  expect(bodiesAt(target, '/in')).toEqual([]);
  for (let again = 0; again < 2; again += 1)
    expect(await ask('CommitTransaction', id)).toMatchObject({
      state: 'TRANSACTION_STATE_COMMITTED',
      decided_by: 'producer',
      decided_at: { seconds: expect.any(String) },
    });
  await until('both arrive', () => bodiesAt(target, '/in').length === 2);
  expect(bodiesAt(target, '/in')).toEqual(['1', '2']);
  expect(target.arrivals.map(({ headers }) => headers['bigpipe-message-id'])).toEqual(ids);
});

test('rolled back: nobody sees it; decided otherwise is FAILED_PRECONDITION, with how it stands; HTTP knows the same', async () => {
  const [gone, sent] = [await idOf('gone'), await idOf('sent')];
  expect(await ask('RollBackTransaction', gone)).toMatchObject({ state: 'TRANSACTION_STATE_ROLLED_BACK' });
  expect((await decide(bigpipe, sent, 'commit')).status).toBe(200);
  expect((await transactionOf(bigpipe, gone)).state).toBe('rolled-back');
  const info = (state: string) => ({
    code: status.FAILED_PRECONDITION,
    details: [
      { type: 'ErrorInfo', reason: 'ALREADY_DECIDED', domain: 'bigpipe', metadata: [{ key: 'state', value: state }] },
    ],
  });
  expect(await client.refusal(ask('CommitTransaction', gone))).toMatchObject(info('rolled-back'));
  expect(await client.refusal(ask('RollBackTransaction', sent))).toMatchObject(info('committed'));
  await until('the other one arrives', () => bodiesAt(target, '/in').length > 0);
  expect(bodiesAt(target, '/in')).toEqual(['sent']);
});

test('its producer is asked: after first_check_after, at the registered address where the call names none', async () => {
  says = 'commit';
  const begun = await client.ask(
    'BeginTransaction',
    { messages: [toTarget('asked')], first_check_after: { nanos: 1_000_000 } },
    other,
  );
  const stands = await until('it is decided', async () => {
    const told = await ask('GetTransaction', String(begun['id']), other);
    return told['state'] === 'TRANSACTION_STATE_COMMITTED' ? told : null;
  });
  expect([stands['decided_by'], checksAt(target).length]).toEqual(['check', 1]);
  await until('it arrives', () => bodiesAt(target, '/in').includes('asked'));
});

test('one idempotency key, one transaction', async () => {
  const more = { idempotency_key: 'order 1' };
  const first = await begin([toTarget('1')], more);
  expect(await begin([toTarget('1')], more)).toEqual({ ...first, replayed: true });
  expect(await client.refusal(begin([toTarget('2')], more))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    details: [{ reason: 'IDEMPOTENCY_MISMATCH' }],
  });
});

test('everything that is wrong is told at once, with its field', async () => {
  const refusal = await client.refusal(
    begin(
      [
        toTarget('1', { acks: 'ACKS_ALL' }),
        toTarget('2', { type: 'a b', url: 'ftp://x' }),
        { topic: 'test', body: Buffer.alloc(1025) },
      ],
      {
        check_urls: ['grpc://x/y.Z/A'],
        first_check_after: { seconds: -1 },
        idempotency_key: ' ',
      },
    ),
  );
  expect(refusal.code).toBe(status.INVALID_ARGUMENT);
  const bad = refusal.details.find(({ type }) => type === 'BadRequest') as unknown as {
    field_violations: { field: string }[];
  };
  expect(bad.field_violations.map(({ field }) => field).sort()).toEqual([
    'check_urls',
    'first_check_after',
    'idempotency_key',
    'messages[0].acks',
    'messages[1].type',
    'messages[1].url',
    'messages[2].body',
  ]);
  for (const messages of [[], Array<object>(101).fill({ topic: 'test' })])
    expect(await client.refusal(begin(messages))).toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('who is not known, what is not allowed, what is not there', async () => {
  const id = await idOf('mine');
  const denied = [begin([{ topic: 'none' }]), begin([toTarget('1')], { check_urls: ['http://169.254.169.254/x'] })];
  for (const one of denied)
    expect(await client.refusal(one)).toMatchObject({
      code: status.PERMISSION_DENIED,
      details: [{ reason: 'FORBIDDEN' }, {}],
    });
  for (const method of ['CommitTransaction', 'RollBackTransaction', 'GetTransaction']) {
    expect(await client.refusal(ask(method, id, metadataOf({})))).toMatchObject({ code: status.UNAUTHENTICATED });
    for (const asking of [ask(method, id, other), ask(method, 'txn_none'), ask(method, ''), ask(method, 'ö')])
      expect(await client.refusal(asking)).toMatchObject({
        code: status.NOT_FOUND,
        details: [{ reason: 'NOT_FOUND' }],
      });
  }
  expect(await ask('GetTransaction', id)).toMatchObject({ state: 'TRANSACTION_STATE_UNDECIDED' });
});

test('more than may be undecided is RESOURCE_EXHAUSTED, with when to come back', async () => {
  const refusal = await until('no more are taken', async () => {
    const [answer] = await Promise.allSettled([begin([toTarget('more')])]);
    return answer.status === 'rejected' ? client.refusal(Promise.reject(answer.reason)) : null;
  });
  expect(refusal).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: [{ reason: 'OVERLOADED' }, { type: 'RetryInfo' }],
  });
});

test('without transaction.enabled there is none of it', async () => {
  const plain = await BigpipeProcess.start({
    config: baseConfig({ 'grpc.server.port': 0, 'grpc.server.host': '127.0.0.1' }),
  });
  const stranger = await ReflectedClient.connect(`127.0.0.1:${plain.grpcPort}`);
  try {
    for (const method of ['BeginTransaction', 'GetTransaction'])
      expect(await stranger.refusal(stranger.ask(method, {}))).toMatchObject({
        code: status.NOT_FOUND,
        message: expect.stringContaining('transaction.enabled'),
      });
  } finally {
    stranger.close();
    await plain.dispose();
  }
}, 180_000);
