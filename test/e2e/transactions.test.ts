// /v1/transactions: messages that nobody sees until their producer commits, and that are gone when it rolls back.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { problemOf, send, sendJson } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';
import {
  begin,
  begun,
  bodiesAt,
  checksAt,
  decide,
  look,
  transactionConfig,
  transactionOf,
  untilState,
} from '../support/transactions.js';
import { until } from '../support/until.js';

let target: TargetServer;
/** One for all that need no other settings, and each test's own target. */
let shared: BigpipeProcess;
let bigpipe: BigpipeProcess;

const config = (changes: Config = {}) =>
  baseConfig({
    'kafka.producer.acl': [
      { name: 'system-1', secret: 'i am good', topic: 'test' },
      { name: 'system-2', secret: 'me too', topic: 'test', checkUrls: ['http://127.0.0.1:1/registered'] },
    ],
    'kafka.consumer.list': [baseConsumer({ retries: 0 })],
    ...transactionConfig(),
    ...changes,
  });

/** A process of the test's own. */
const start = async (changes: Config = {}) => {
  bigpipe = await BigpipeProcess.start({ config: config(changes) });
};

const form = (...messages: object[]) => ({ messages, checkUrl: target.url('/check') });
const toTarget = (data: string, more: object = {}) => ({ url: target.url('/in'), data, ...more });

beforeAll(async () => {
  shared = await BigpipeProcess.start({ config: config() });
});

afterAll(() => shared.dispose());

beforeEach(async () => {
  bigpipe = shared;
  target = await TargetServer.start();
});

afterEach(async () => {
  if (bigpipe !== shared) await bigpipe.dispose();
  await target.close();
});

/** What was sent before it has arrived, so whatever else should have would have, too. */
const probe = async () => {
  await send(bigpipe, { 'bigpipe-url': target.url('/probe') }, 'probe');
  await until('the probe arrives', () => bodiesAt(target, '/probe').length > 0);
};

describe('a decision', () => {
  test('committed: all its messages, in order, and not before', async () => {
    const answer = await begin(bigpipe, form(toTarget('1', { key: 'k' }), toTarget('2', { key: 'k' })));
    expect(answer.status).toBe(201);
    const { id, messages } = JSON.parse(answer.text) as { id: string; messages: { id: string }[] };
    expect(answer.headers).toMatchObject({ location: `/v1/transactions/${id}`, 'bigpipe-durability': 'fsync' });
    await probe();
    expect(bodiesAt(target, '/in')).toEqual([]);
    expect(await transactionOf(bigpipe, id)).toMatchObject({ id, state: 'undecided', checks: 0 });
    const committed = await decide(bigpipe, id, 'commit');
    expect([committed.status, JSON.parse(committed.text)]).toMatchObject([
      200,
      { id, state: 'committed', decidedBy: 'producer' },
    ]);
    await until('both arrive', () => bodiesAt(target, '/in').length === 2);
    expect(bodiesAt(target, '/in')).toEqual(['1', '2']);
    const ids = target.arrivals.filter(({ path }) => path === '/in').map((one) => one.headers['bigpipe-message-id']);
    expect(ids).toEqual(messages.map((one) => one.id));
    expect(checksAt(target)).toEqual([]);
  });

  test('rolled back: nobody ever sees it', async () => {
    const id = await begun(bigpipe, form(toTarget('no')));
    const answer = await decide(bigpipe, id, 'rollback');
    expect([answer.status, JSON.parse(answer.text)]).toMatchObject([200, { state: 'rolled-back' }]);
    await probe();
    expect(bodiesAt(target, '/in')).toEqual([]);
  });

  test('the same again is answered as before, a contrary one with 409 and how it stands', async () => {
    const [one, other] = [await begun(bigpipe, form(toTarget('1'))), await begun(bigpipe, form(toTarget('2')))];
    const commits = await Promise.all([1, 2, 3].map(() => decide(bigpipe, one, 'commit')));
    expect(commits.map(({ status }) => status)).toEqual([200, 200, 200]);
    await decide(bigpipe, other, 'rollback');
    const contrary = [await decide(bigpipe, one, 'rollback'), await decide(bigpipe, other, 'commit')];
    expect(contrary.map((answer) => [answer.status, problemOf(answer)])).toMatchObject([
      [409, { code: 'already-decided', state: 'committed' }],
      [409, { code: 'already-decided', state: 'rolled-back' }],
    ]);
    await probe();
    expect(bodiesAt(target, '/in')).toEqual(['1']);
  });

  test('commit and rollback at once: one of them, and both are told which', async () => {
    const rounds = Array.from({ length: 20 }, async (_, i) => {
      const id = await begun(bigpipe, form(toTarget(`${i}`)));
      const [commit, rollback] = await Promise.all([decide(bigpipe, id, 'commit'), decide(bigpipe, id, 'rollback')]);
      expect(new Set([commit.status, rollback.status])).toEqual(new Set([200, 409]));
      return commit.status === 200 ? [`${i}`] : [];
    });
    const committed = (await Promise.all(rounds)).flat();
    await until('all committed ones arrive', () => bodiesAt(target, '/in').length >= committed.length);
    await probe();
    expect(bodiesAt(target, '/in').sort()).toEqual(committed.sort());
  });

  test('holds after a kill, and so does one that is open', async () => {
    await start();
    const ids = await Promise.all(['a', 'b', 'c'].map((data) => begun(bigpipe, form(toTarget(data)))));
    await decide(bigpipe, ids[0] as string, 'commit');
    await decide(bigpipe, ids[1] as string, 'rollback');
    await bigpipe.end('SIGKILL');
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    const states = await Promise.all(ids.map(async (id) => (await transactionOf(bigpipe, id)).state));
    expect(states).toEqual(['committed', 'rolled-back', 'undecided']);
    expect((await decide(bigpipe, ids[1] as string, 'commit')).status).toBe(409);
    expect((await decide(bigpipe, ids[2] as string, 'commit')).status).toBe(200);
    await until('both arrive', () => new Set(bodiesAt(target, '/in')).size === 2);
    expect(new Set(bodiesAt(target, '/in'))).toEqual(new Set(['a', 'c']));
  });
});

describe('what its messages ask for', () => {
  test('a delay counts from the commit', async () => {
    const id = await begun(bigpipe, form(toTarget('later', { delay: '1h', expires: '2h' })));
    const beforeMs = Date.now();
    const { messages } = JSON.parse((await decide(bigpipe, id, 'commit')).text) as { messages: { id: string }[] };
    const state = await until('it waits', async () => {
      const answer = await fetch(`${bigpipe.origin}/v1/messages/${messages[0]?.id}`, {
        headers: { authorization: basic('system-1', 'i am good') },
      });
      const told = (await answer.json()) as { notBefore?: string; expires?: string; deliveries: { state: string }[] };
      return told.deliveries?.[0]?.state === 'waiting' ? told : null;
    });
    expect(Date.parse(state.notBefore ?? '')).toBeGreaterThanOrEqual(beforeMs + 3_600_000);
    expect(Date.parse(state.expires ?? '')).toBeGreaterThanOrEqual(beforeMs + 7_200_000);
  });

  test('the order of a key is the order of the commits', async () => {
    const key = 'account 7';
    const [first, second] = [
      await begun(bigpipe, form(toTarget('begun first', { key }))),
      await begun(bigpipe, form(toTarget('begun second', { key }))),
    ];
    await decide(bigpipe, second as string, 'commit');
    await sendJson(bigpipe, toTarget('sent meanwhile', { key }));
    await decide(bigpipe, first as string, 'commit');
    await until('all arrive', () => bodiesAt(target, '/in').length === 3);
    expect(bodiesAt(target, '/in')).toEqual(['begun second', 'sent meanwhile', 'begun first']);
  });

  test('one idempotency key, one transaction', async () => {
    const headers = { 'idempotency-key': '"order 1"' };
    const [one, again] = [
      await begin(bigpipe, form(toTarget('1')), headers),
      await begin(bigpipe, form(toTarget('1')), headers),
    ];
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(JSON.parse(again.text)).toEqual(JSON.parse(one.text));
    expect((await begin(bigpipe, form(toTarget('2')), headers)).status).toBe(422);
  });
});

describe('what is refused', () => {
  test('each fault with its place', async () => {
    const faulty = {
      messages: [toTarget('1', { acks: 0 }), { url: 'ftp://x', nonsense: 1 }, 7],
      firstCheckAfter: 'soon',
      extra: true,
    };
    const answer = await begin(bigpipe, faulty, { prefer: 'wait=10' });
    expect(answer.status).toBe(400);
    const places = problemOf(answer).errors?.map(({ pointer, header }) => pointer ?? header);
    expect(places?.sort()).toEqual([
      '#/checkUrl',
      '#/extra',
      '#/firstCheckAfter',
      '#/messages/0/acks',
      '#/messages/1/nonsense',
      '#/messages/1/url',
      '#/messages/2',
      'prefer',
    ]);
    for (const body of [
      '[]',
      '{',
      '{}',
      '{"messages":[]}',
      JSON.stringify({ messages: Array(101).fill(toTarget('x')) }),
    ])
      expect((await begin(bigpipe, body)).status).toBe(400);
    expect((await begin(bigpipe, '{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await decide(bigpipe, 'txn_0', 'commit', { prefer: 'wait=1' })).status).toBe(400);
  });

  test('who may not, and what may not be asked', async () => {
    await start({ 'egress.allow': ['127.0.0.1'] });
    expect((await begin(bigpipe, form(toTarget('1')), { authorization: 'Basic eDp5' })).status).toBe(401);
    const inside = { messages: [toTarget('1')], checkUrl: 'http://169.254.169.254/check' };
    const answer = await begin(bigpipe, inside);
    expect([answer.status, problemOf(answer).errors?.[0]?.pointer]).toEqual([403, '#/checkUrl']);
    const elsewhere = { messages: [toTarget('1', { topic: 'other' })], checkUrl: target.url() };
    expect(problemOf(await begin(bigpipe, elsewhere)).errors?.[0]?.pointer).toBe('#/messages/0/topic');
  });

  test('the transaction of somebody else, and one that nobody began', async () => {
    const id = await begun(bigpipe, form(toTarget('1')));
    const other = basic('system-2', 'me too');
    expect((await look(bigpipe, id, other)).status).toBe(404);
    expect((await decide(bigpipe, id, 'commit', { authorization: other })).status).toBe(404);
    expect((await decide(bigpipe, 'txn_01HZZZZZZZZZZZZZZZZZZZZZZZ', 'commit')).status).toBe(404);
    expect((await transactionOf(bigpipe, id)).state).toBe('undecided');
    const registered = await begin(bigpipe, { messages: [toTarget('1')] }, { authorization: other });
    expect(registered.status).toBe(201);
  });

  test('more than may be undecided', async () => {
    await start({ 'transaction.max.undecided': 2 });
    const [id] = [await begun(bigpipe, form(toTarget('1'))), await begun(bigpipe, form(toTarget('2')))];
    const third = await begin(bigpipe, form(toTarget('3')));
    expect([third.status, third.headers['retry-after']]).toEqual([503, '1']);
    await decide(bigpipe, id as string, 'commit');
    expect((await begin(bigpipe, form(toTarget('3')))).status).toBe(201);
  });

  test('all of it, unless the settings say so', async () => {
    await start({ 'transaction.enabled': false });
    expect(problemOf(await begin(bigpipe, form(toTarget('1'))))).toMatchObject({ status: 404, code: 'not-found' });
  });
});

test('several processes at the door take transactions too', async () => {
  await start({ 'http.server.workers': 2 });
  const id = await begun(bigpipe, form(toTarget('1')));
  expect((await decide(bigpipe, id, 'commit')).status).toBe(200);
  await until('it arrives', () => bodiesAt(target, '/in').length === 1);
  await untilState(bigpipe, id, 'committed');
});
