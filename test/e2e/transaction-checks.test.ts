// Producers that fell silent are asked what became of their transactions: when, how often, by whom, and what their answers do.
import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { type Script, TargetServer } from '../support/target-server.js';
import {
  begun,
  bodiesAt,
  checksAt,
  decide,
  transactionConfig,
  transactionOf,
  untilState,
} from '../support/transactions.js';
import { until } from '../support/until.js';

const secret = Buffer.from('a secret of thirty-two bytes, ok');
const config = (changes: Config = {}) =>
  baseConfig({
    'kafka.consumer.list': [baseConsumer({ retries: 0 })],
    'transaction.signing.secrets': [`whsec_${secret.toString('base64')}`],
    ...transactionConfig({ 'transaction.max.checks': 4, ...changes }),
  });

/** One for all that only need other answers; each test has a producer of its own. */
let bigpipe: BigpipeProcess;
let producer: TargetServer;

beforeAll(async () => {
  bigpipe = await BigpipeProcess.start({ config: config() });
});

afterAll(() => bigpipe.dispose());

beforeEach(async () => {
  producer = await TargetServer.start();
});

afterEach(() => producer.close());

/** Answers checks; everything else is a delivery. */
const answering =
  (answer: (check: number) => object | number | null): Script =>
  (arrival, response, socket) => {
    if (!arrival.path.startsWith('/check')) {
      response.end();
      return;
    }
    const said = answer(checksAt(producer, arrival.path).length);
    if (said === null) socket.destroy();
    else if (typeof said === 'number') response.writeHead(said).end();
    else response.end(JSON.stringify(said));
  };

const form = (data: string, more: object = {}) => ({
  messages: [{ url: producer.url('/in'), data, key: 'k', headers: { 'x-order': '7' } }],
  checkUrl: producer.url('/check'),
  firstCheckAfter: '0s',
  ...more,
});

describe('the answer', () => {
  test('commit: the message is sent, once', async () => {
    producer.script = answering((check) => ({ state: check < 3 ? 'unknown' : 'commit' }));
    const id = await begun(bigpipe, form('paid'));
    expect(await untilState(bigpipe, id, 'committed')).toMatchObject({ decidedBy: 'check' });
    await until('it arrives', () => bodiesAt(producer, '/in').length > 0);
    expect(bodiesAt(producer, '/in')).toEqual(['paid']);
    expect(checksAt(producer)).toHaveLength(3);
  });

  test('rollback: nobody sees it', async () => {
    producer.script = answering(() => ({ state: 'rollback' }));
    const id = await begun(bigpipe, form('not paid'));
    await untilState(bigpipe, id, 'rolled-back');
    expect((await decide(bigpipe, id, 'commit')).status).toBe(409);
    expect(bodiesAt(producer, '/in')).toEqual([]);
  });

  test('a default that commits on check: there is none; what says neither leaves it undecided, and in doubt in the end', async () => {
    const answers: (object | number | null)[] = [{ state: 'unknown' }, {}, 404, null, { state: 'COMMIT' }];
    producer.script = answering((check) => answers[(check - 1) % answers.length] as object);
    const id = await begun(bigpipe, form('never'));
    const { checks } = await untilState(bigpipe, id, 'in-doubt');
    expect([checks, checksAt(producer).length, bodiesAt(producer, '/in')]).toEqual([4, 4, []]);
    const line = await until('it is told', () => bigpipe.log.find((one) => one['id'] === id));
    expect(line).toMatchObject({ level: 50, checks: 4 });
  });
});

test('what it is asked with: ids, keys and headers of its messages, signed', async () => {
  producer.script = answering(() => ({ state: 'rollback' }));
  const id = await begun(bigpipe, form('secret data'));
  await untilState(bigpipe, id, 'rolled-back');
  const [check] = checksAt(producer);
  const body = JSON.parse(check?.body.toString() ?? '') as object;
  expect(body).toEqual({
    id,
    createdAt: expect.any(String),
    check: 1,
    messages: [
      {
        id: expect.stringMatching(/^msg_/),
        topic: 'test',
        url: producer.url('/in'),
        key: 'k',
        headers: { 'x-order': '7' },
      },
    ],
  });
  const {
    'webhook-id': webhookId,
    'webhook-timestamp': timestamp,
    'webhook-signature': signature,
  } = check?.headers ?? {};
  const signed = createHmac('sha256', secret)
    .update(`${String(webhookId)}.${String(timestamp)}.`)
    .update(check?.body ?? '');
  expect(signature).toBe(`v1,${signed.digest('base64')}`);
});

test('a check while the local transaction still runs: not before firstCheckAfter, and then it decides nothing', async () => {
  let isCommitted = false;
  producer.script = answering(() => ({ state: isCommitted ? 'commit' : 'unknown' }));
  const slow = await begun(bigpipe, form('slow', { firstCheckAfter: '1h' }));
  const other = await begun(bigpipe, form('other'));
  await until('the other one is asked about', () => checksAt(producer).length >= 2);
  const asked = checksAt(producer).map(({ body }) => (JSON.parse(body.toString()) as { id: string }).id);
  expect(new Set(asked)).toEqual(new Set([other]));
  expect(await transactionOf(bigpipe, slow)).toMatchObject({ state: 'undecided', checks: 0 });
  isCommitted = true;
  await untilState(bigpipe, other, 'committed');
});

test('immunity that spends checks: it spends none, one that is not asked about has all of its checks left', async () => {
  producer.script = answering(() => ({ state: 'unknown' }));
  const id = await begun(bigpipe, form('immune', { firstCheckAfter: '1s' }));
  expect(await transactionOf(bigpipe, id)).toMatchObject({ checks: 0 });
  await untilState(bigpipe, id, 'in-doubt');
  expect(checksAt(producer)).toHaveLength(4);
});

test('a commit racing a check: one decision, one delivery', async () => {
  const held: (() => void)[] = [];
  producer.script = (arrival, response) => {
    if (arrival.path !== '/check') response.end();
    else held.push(() => response.end(JSON.stringify({ state: 'commit' })));
  };
  const ids = await Promise.all(['a', 'b', 'c'].map((data) => begun(bigpipe, form(data))));
  await until('all are asked about', () => held.length === 3);
  const commits = Promise.all(ids.map((id) => decide(bigpipe, id, 'commit')));
  for (const answer of held) answer();
  expect((await commits).map(({ status }) => status)).toEqual([200, 200, 200]);
  await until('all arrive', () => bodiesAt(producer, '/in').length >= 3);
  // The answers are read before this one's messages are sent.
  await decide(bigpipe, await begun(bigpipe, form('last', { firstCheckAfter: '1h' })), 'commit');
  await until('the last one arrives', () => bodiesAt(producer, '/in').includes('last'));
  expect(bodiesAt(producer, '/in').toSorted()).toEqual(['a', 'b', 'c', 'last']);
});

test('a late commit after the last check: it is taken', async () => {
  producer.script = answering(() => 500);
  const id = await begun(bigpipe, form('late'));
  await untilState(bigpipe, id, 'in-doubt');
  expect((await decide(bigpipe, id, 'commit')).status).toBe(200);
  await until('it arrives', () => bodiesAt(producer, '/in').length === 1);
});

test('a delay with a transaction: it counts from the decision, and is no check', async () => {
  producer.script = answering((check) => ({ state: check < 3 ? 'unknown' : 'commit' }));
  const messages = [{ url: producer.url('/in'), data: 'soon', delay: '1s' }];
  const id = await begun(bigpipe, { messages, checkUrl: producer.url('/check'), firstCheckAfter: '0s' });
  await untilState(bigpipe, id, 'committed');
  await until('it arrives', () => bodiesAt(producer, '/in').length > 0);
  expect([bodiesAt(producer, '/in'), checksAt(producer).length]).toEqual([['soon'], 3]);
});

test('another instance is asked when one is silent, and that is one check', async () => {
  producer.script = (arrival, response, socket) => {
    if (arrival.path === '/check/1') socket.destroy();
    else response.end(JSON.stringify({ state: 'unknown' }));
  };
  const id = await begun(bigpipe, form('x', { checkUrl: [producer.url('/check/1'), producer.url('/check/2')] }));
  await untilState(bigpipe, id, 'in-doubt');
  const paths = producer.arrivals.map(({ path }) => path);
  expect(paths.filter((path) => path === '/check/2')).toHaveLength(4);
  expect(paths.filter((path) => path === '/check/1')).toHaveLength(4);
});

describe('an operator', () => {
  const say = async (path: string, body: object = {}) => {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await fetch(`${bigpipe.management}/transactions/${path}`, init);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const inDoubt = async () => {
    const answer = await fetch(`${bigpipe.management}/transactions?state=in-doubt&limit=1000`);
    return ((await answer.json()) as { transactions: { id: string }[] }).transactions.map(({ id }) => id);
  };

  test('sees what is in doubt and decides it, one or many, or has it asked about again', async () => {
    let says = 'unknown';
    producer.script = answering(() => ({ state: says }));
    const ids = await Promise.all(['1', '2', '3', '4'].map((data) => begun(bigpipe, form(data))));
    const [one, two, three, four] = ids as [string, string, string, string];
    await Promise.all(ids.map((id) => untilState(bigpipe, id, 'in-doubt')));
    expect(await inDoubt()).toEqual(expect.arrayContaining(ids));
    const stats = (await bigpipe.stats()) as unknown as { transactionStats: { inDoubt: number } };
    expect(stats.transactionStats.inDoubt).toBeGreaterThanOrEqual(4);
    const metrics = await (await fetch(`${bigpipe.management}/metrics`)).text();
    expect(metrics).toMatch(/^bigpipe_transactions\{state="in-doubt"\} [1-9]/m);
    expect(await say(`${one}/commit`, { reason: 'the books say so' })).toMatchObject({
      status: 200,
      body: { state: 'committed', decidedBy: 'operator' },
    });
    expect((await say('rollback', { ids: [two, three, 'txn_none'] })).body).toEqual({
      results: [
        { id: two, state: 'rolled-back' },
        { id: three, state: 'rolled-back' },
        { id: 'txn_none', error: 'not known' },
      ],
    });
    says = 'commit';
    expect((await say(`${four}/check`)).status).toBe(200);
    await untilState(bigpipe, four, 'committed');
    await until('both arrive', () => bodiesAt(producer, '/in').length === 2);
    expect(bodiesAt(producer, '/in').toSorted()).toEqual(['1', '4']);
    const lines = await until('it is told', () => {
      const found = bigpipe.log.filter((line) => String(line['msg']).startsWith('an operator'));
      return found.length >= 4 ? found : null;
    });
    expect(lines[0]).toMatchObject({ id: one, caller: 'system-1', reason: 'the books say so', state: 'committed' });
    expect((await say('nonsense')).status).toBe(404);
    expect((await say('commit')).status).toBe(400);
  });
});
