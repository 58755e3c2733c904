// What the keeper of transactions does over days: checks that are lost, records that cannot be read, the end of their time, a short log.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeError } from '#src/message/errors.js';
import { messageHeader } from '#src/message/message.js';
import { transactionTopic } from '#src/message/side-topic.js';
import { recordOf } from '#src/transaction/transaction-record.js';
import { TransactionLab, type TransactionNode } from '../../support/transaction-lab.js';

let lab: TransactionLab;
let nodes: TransactionNode[];

beforeEach(async () => {
  lab = await TransactionLab.open();
  nodes = [];
});

afterEach(async () => {
  for (const { transactions } of nodes) await transactions.drain();
  await lab.broker.close();
});

const start = async (...settings: Parameters<TransactionLab['node']>) => {
  const node = await lab.node(...settings);
  nodes.push(node);
  return node;
};

const stateOf = async ({ transactions }: TransactionNode, id: string) => (await transactions.find(id, null))?.state;
const asksOf = async (id: string) => (await lab.checks()).filter(({ key }) => key?.toString() === id);

describe('checks', () => {
  test('not before firstCheckAfter; then at growing intervals, up to the last one', async () => {
    const node = await start({ maxChecks: 3 });
    const begunMs = lab.clock.now();
    const id = await node.begin('a');
    const askedMs: number[] = [];
    for (let check = 1; check <= 3; check += 1) {
      const asked = await lab.until('it is asked about', 200, async () => (await asksOf(id))[check - 1]);
      askedMs.push(lab.clock.now());
      await lab.answer(asked, 'answered 200', '{"state":"unknown"}');
    }
    await lab.until('it is in doubt', 200, async () => (await stateOf(node, id)) === 'in-doubt');
    const [first = 0, second = 0, third = 0] = askedMs.map((atMs) => atMs - (askedMs[0] as number));
    expect([first, (askedMs[0] as number) - begunMs >= 6000]).toEqual([0, true]);
    expect(second).toBeGreaterThanOrEqual(24_000);
    expect(third - second).toBeGreaterThanOrEqual(48_000);
    await lab.until('an hour has gone by', 60_000, () => lab.clock.now() > (askedMs[2] as number) + 3_600_000);
    expect(await asksOf(id)).toHaveLength(3);
  });

  test('one that was not sent does not count, and one that is lost is asked anew', async () => {
    const node = await start({ maxChecks: 2 });
    const id = await node.begin('a');
    const first = await lab.until('it is asked about', 200, async () => (await asksOf(id))[0]);
    await lab.answer(first, 'unsent');
    const second = await lab.until('it is asked about again', 1000, async () => (await asksOf(id))[1]);
    expect(await node.transactions.find(id, null)).toMatchObject({ state: 'undecided', checks: 0 });
    // Nothing comes back for it.
    const askedMs = lab.clock.now();
    const third = await lab.until('it is asked about once more', 10_000, async () => (await asksOf(id))[2]);
    expect(lab.clock.now() - askedMs).toBeGreaterThanOrEqual(600_000);
    // The answer to the lost one comes after all.
    await lab.answer(second, 'answered 200', '{"state":"commit"}');
    await lab.until('it is committed', 200, async () => (await stateOf(node, id)) === 'committed');
    await lab.answer(third, 'answered 200', '{"state":"rollback"}');
    await lab.until('nothing changes', 200, () => true);
    expect([await stateOf(node, id), await lab.bodies()]).toEqual(['committed', ['a']]);
  });

  test('at most 64 are under way to one origin, and another origin does not wait for it', async () => {
    const node = await start();
    for (let i = 0; i < 100; i += 1) await node.begin(`${i}`);
    const other = await node.begin('other', { checkUrls: ['http://other/check'] });
    await lab.until('the other one is asked', 200, async () => (await asksOf(other)).length === 1);
    await lab.until('some time goes by', 1000, () => lab.clock.now() > 1_700_000_060_000);
    const checks = await lab.checks();
    expect(checks).toHaveLength(65);
    for (const check of checks) await lab.answer(check, 'answered 200', '{"state":"rollback"}');
    await lab.until('the rest follows', 200, async () => (await lab.checks()).length === 101);
  });

  test('an exception that stops the checker: one that cannot be asked about does not stop the others', async () => {
    const node = await start();
    const facts = { caller: 'c', checkUrls: ['http://producer/check'], firstCheckMs: 0, createdMs: lab.clock.now() };
    const bad = recordOf({ kind: 'begin', id: 'txn_bad', ...facts }, Buffer.from('no messages'));
    const strange = { ...bad, headers: { [messageHeader.transaction]: '{"kind":"nonsense"}' } };
    await lab.broker.append([bad, strange], -1);
    const good = await node.begin('good');
    const check = await lab.until('the good one is asked about', 200, async () => (await asksOf(good))[0]);
    await lab.answer(check, 'answered 200', '{"state":"commit"}');
    await lab.until('it is committed', 200, async () => (await stateOf(node, good)) === 'committed');
    expect(await stateOf(node, 'txn_bad')).toBe('undecided');
  });
});

describe('a lost decision record', () => {
  test('whose write failed: the transaction is still there, undecided, and its producer is asked', async () => {
    const node = await start();
    const id = await node.begin('a');
    const append = lab.broker.append.bind(lab.broker);
    lab.broker.append = () => Promise.reject(new BigpipeError('storage-failed', 'the disk says no'));
    await expect(node.transactions.decide(id, 'commit', 'c')).rejects.toMatchObject({ code: 'storage-failed' });
    lab.broker.append = append;
    expect(await stateOf(node, id)).toBe('undecided');
    const check = await lab.until('it is asked about', 200, async () => (await asksOf(id))[0]);
    await lab.answer(check, 'answered 200', '{"state":"commit"}');
    await lab.until('it is committed', 200, async () => (await stateOf(node, id)) === 'committed');
    expect(await lab.bodies()).toEqual(['a']);
  });

  test('that cannot be read: it decides nothing, and the next one does', async () => {
    const node = await start();
    const id = await node.begin('a');
    const headers = { [messageHeader.transaction]: '{"kind":"decide","id":' };
    await lab.broker.append(
      [{ topic: transactionTopic, partition: 0, key: Buffer.from(id), body: Buffer.alloc(0), headers }],
      -1,
    );
    expect(await stateOf(node, id)).toBe('undecided');
    expect((await node.transactions.decide(id, 'commit', 'c'))?.state).toBe('committed');
    await node.transactions.drain();
    const later = await start();
    expect([await stateOf(later, id), await lab.bodies()]).toEqual(['committed', ['a']]);
  });
});

describe('at the end of its time', () => {
  test('dead letters of those who would have got it, with the reason', async () => {
    const node = await start({ ttlMs: 3_600_000, maxChecks: 1 });
    const id = await node.begin('a');
    await lab.until('its time is over', 60_000, async () => (await stateOf(node, id)) === 'rolled-back');
    const [letter] = await lab.read('test.G.dlq');
    expect(letter?.body.toString()).toBe('a');
    expect(letter?.headers['bigpipe-dlq-reason']).toBe('undecided');
    expect(letter?.headers['bigpipe-dlq-detail']).toContain(id);
    expect(await lab.bodies()).toEqual([]);
  });

  test.each([
    ['rollback', 'rolled-back', []],
    ['commit', 'committed', ['a']],
  ] as const)('%s, where the settings say so', async (onTtl, state, sent) => {
    const node = await start({ ttlMs: 3_600_000, onTtl });
    const id = await node.begin('a');
    await lab.until('its time is over', 60_000, async () => (await stateOf(node, id)) === state);
    expect([await lab.bodies(), await lab.bodies('test.G.dlq')]).toEqual([sent, []]);
  });
});

describe('what a node that died left behind', () => {
  test('a decision whose messages are not stored is finished', async () => {
    const first = await start();
    const id = await first.begin('a');
    await first.transactions.drain();
    // Decided by a node that did nothing more.
    const decision = { kind: 'decide', id, verb: 'commit', by: 'producer', node: 'gone', keep: false } as const;
    await lab.broker.append([recordOf(decision)], -1);
    const second = await start();
    await lab.until('it is committed', 200, async () => (await stateOf(second, id)) === 'committed');
    expect(await lab.bodies()).toEqual(['a']);
  });

  test('two nodes checking at once: one of them asks, and the other one once it has gone; both know of each decision', async () => {
    const [first, second] = [await start(), await start()];
    const id = await first.begin('a');
    expect((await second.transactions.decide(id, 'commit', 'c'))?.state).toBe('committed');
    expect((await first.transactions.decide(id, 'rollback', 'c'))?.state).toBe('committed');
    const open = await second.begin('b');
    await lab.until('it is asked about', 200, async () => (await asksOf(open)).length > 0);
    expect(await asksOf(open)).toHaveLength(1);
    await first.transactions.drain();
    const next = await second.begin('c');
    await lab.until('the other one asks', 200, async () => (await asksOf(next)).length > 0);
    // What the first has asked is not asked again.
    expect([(await asksOf(open)).length, (await asksOf(next)).length]).toEqual([1, 1]);
    expect(await lab.bodies()).toEqual(['a']);
  });
});

test('the log stays short beside one that is open for days, which a node that comes later still knows', async () => {
  const node = await start({ rememberMs: 1000, firstCheckMs: 600_000_000, maxRemembered: 0 });
  const old = await node.begin('old');
  for (let i = 0; i < 4000; i += 1) {
    const id = await node.begin(`${i}`);
    await node.transactions.decide(id, 'rollback', 'c');
    const records = recordOf({ kind: 'look' });
    if (i % 4 === 0) await lab.broker.append([records, records, records, records], -1);
  }
  const keeper = `${transactionTopic}.keeper`;
  const markOf = () => Number(lab.broker.lag(keeper, transactionTopic)[0]?.committed ?? 0);
  await lab.until('it is carried, and what stood before it is free', 1000, () => markOf() > 10_000);
  await node.transactions.drain();
  const later = await start({ firstCheckMs: 600_000_000 });
  expect(await stateOf(later, old)).toBe('undecided');
  expect((await later.transactions.decide(old, 'commit', 'c'))?.state).toBe('committed');
  expect(await lab.bodies()).toEqual(['old']);
}, 60_000);
