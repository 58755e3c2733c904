// Why a message is not delivered yet: each reason in words, with its time, and the same words in the counts.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { busy, refused } from '../../../support/outcomes.js';
import { a, b, call, calls, RunnerLab } from '../../../support/runner-lab.js';
import { delivered, failed, rejected } from '../../../support/scripted-target.js';
import { fixed, perSecond } from '../../../support/subscription.js';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

const reasons = (waits: readonly { reason: string }[]) => waits.map(({ reason }) => reason);

test('settled, in flight, and not ours', async () => {
  const running = await lab.run();
  await lab.append(call('x'), call('y'));
  await lab.end('x', delivered);
  await lab.pass(500);
  const place = { groupId: 'G', topic: 'orders', partition: 0 };
  expect(lab.explain(running, 0)).toEqual({
    ...place,
    offset: '0',
    state: 'settled',
    waitingFor: [],
    estimate: null,
  });
  expect(lab.explain(running, 1)).toEqual({
    ...place,
    offset: '1',
    state: 'in flight',
    id: 'id-y',
    destination: a,
    attempt: 1,
    maxAttempts: 3,
    since: lab.time(-500),
    waitingFor: [],
    estimate: null,
  });
  expect(running.runner.view.explain(1, 0n)).toBeNull();
  expect(lab.backlog(running)).toEqual({ inFlight: 1 });
});

test('by its id, as long as it is not settled', async () => {
  const { runner } = await lab.run();
  await lab.append(call('x'), call('y'));
  expect(runner.view.explainId('id-y')).toMatchObject([{ offset: '1', state: 'in flight' }]);
  await lab.end('y', delivered);
  expect(runner.view.explainId('id-y')).toEqual([]);
  expect(runner.view.explainId('nobody')).toEqual([]);
});

test('order: behind which message of the key', async () => {
  const running = await lab.run();
  await lab.append(call('x', a, 'k'), call('y', a, 'k'), call('z', a, 'k'));
  for (const offset of [1, 2]) {
    expect(lab.explain(running, offset)).toMatchObject({
      state: 'waiting',
      waitingFor: [{ reason: 'order', detail: 'behind id-x at 0', until: null }],
      estimate: null,
    });
  }
  expect(lab.backlog(running)).toEqual({ inFlight: 1, order: 2 });
});

test('retry: which attempt, after what, due when', async () => {
  const running = await lab.run({ backoff: [1000] });
  await lab.append(call('x'));
  await lab.end('x', failed);
  await lab.pass(400);
  expect(lab.explain(running, 0)).toMatchObject({
    state: 'waiting',
    attempt: 2,
    maxAttempts: 3,
    waitingFor: [
      { reason: 'retry', detail: `attempt 2 of 3 after a status, due ${lab.time(600)}`, until: lab.time(600) },
    ],
    estimate: lab.time(600),
  });
  expect(lab.backlog(running)).toEqual({ retry: 1 });
});

test('rate of the subscription: until the next token, and how many come first', async () => {
  const running = await lab.run({ rate: perSecond(2) });
  await lab.append(...calls(5, 'x'));
  expect(lab.explain(running, 2)).toMatchObject({
    waitingFor: [{ reason: 'rate', until: lab.time(500) }],
    estimate: lab.time(500),
  });
  expect(lab.explain(running, 4)).toMatchObject({
    waitingFor: [
      { reason: 'rate', detail: `the limit is 2 a second, until ${lab.time(500)}` },
      { reason: 'turn', detail: '2 ready before it for the same destination', until: null },
    ],
    estimate: lab.time(1500),
  });
  expect(lab.backlog(running)).toEqual({ inFlight: 2, rate: 3 });
  await lab.pass(1500, 100);
  expect(lab.explain(running, 4).state).toBe('in flight');
});

test('rate of a destination: the estimate counts with its rate', async () => {
  const running = await lab.run({ destination: { rate: perSecond(0.5), concurrency: null } });
  await lab.append(...calls(4, 'x'));
  expect(lab.explain(running, 1)).toMatchObject({
    waitingFor: [{ reason: 'rate', detail: `the limit is 0.5 a second, until ${lab.time(2000)}` }],
    estimate: lab.time(2000),
  });
  expect(lab.backlog(running)).toEqual({ inFlight: 1, rate: 3 });
});

test('rate of a destination: those before it are counted at its rate', async () => {
  const running = await lab.run({ destination: { rate: perSecond(0.5), concurrency: null } });
  await lab.append(...calls(4, 'x'));
  expect(lab.explain(running, 3).estimate).toBe(lab.time(6000));
});

test('concurrency: n of m, of the subscription and of the destination', async () => {
  const running = await lab.run({ concurrency: fixed(6), destination: { rate: null, concurrency: fixed(2) } });
  await lab.append(...calls(3, 'x', a), ...calls(1, 'y', b));
  expect(lab.explain(running, 2)).toMatchObject({
    waitingFor: [{ reason: 'concurrency', detail: '2 of 2 in flight', until: null }],
    estimate: null,
  });
  expect(lab.backlog(running)).toEqual({ inFlight: 3, concurrency: 1 });
});

const circuit = { breakPeriodMs: 10_000, recoverPeriodMs: 30_000, windowSeconds: 10, minStats: 2, healthRate: 0.9 };

test('circuit: its state and until when; then the probe; then recovering', async () => {
  const running = await lab.run({ circuit, backoff: [50], retries: 100 });
  await lab.append(...calls(2, 'x'), call('y', a));
  for (const body of ['x0', 'x1']) await lab.end(body, refused);
  await lab.end('y', refused);
  await lab.pass(100);
  expect(lab.explain(running, 0)).toMatchObject({
    waitingFor: [
      {
        reason: 'circuit',
        detail: `open: 0 of 2 attempts of the last 10 s went well, less than 0.9, until ${lab.time(9900)}`,
        until: lab.time(9900),
      },
    ],
    estimate: lab.time(9900),
  });
  expect(lab.backlog(running)).toEqual({ circuit: 3 });
  expect(running.runner.view.troubled()).toMatchObject([
    { destination: a, inFlight: 0, ready: 3, states: [{ state: 'open', nextChange: lab.time(9900) }] },
  ]);
  await lab.pass(9900);
  expect(lab.explain(running, 0).state).toBe('in flight');
  expect(lab.explain(running, 1).waitingFor[0]).toEqual({
    reason: 'circuit',
    detail: 'open, a probe is under way',
    until: null,
  });
  expect(lab.explain(running, 1).estimate).toBeNull();
  await lab.end('x0', delivered);
  const [wait] = lab.explain(running, 1).waitingFor;
  expect(wait).toMatchObject({ reason: 'circuit' });
  expect(wait?.detail).toMatch(/^recovering, the rate is growing, until /);
});

test('retry-after: until when the receiver wants to be left alone', async () => {
  const running = await lab.run({ backoff: [50] });
  await lab.append(call('x'));
  await lab.end('x', busy(429, 5000));
  await lab.append(call('y'), call('z', b));
  expect(lab.explain(running, 1)).toMatchObject({
    waitingFor: [
      {
        reason: 'retry-after',
        detail: `the receiver asked to be left alone, until ${lab.time(5000)}`,
        until: lab.time(5000),
      },
    ],
    estimate: lab.time(5000),
  });
  // A message that waits for its own retry waits for the receiver as well.
  expect(lab.explain(running, 0)).toMatchObject({
    waitingFor: [{ reason: 'retry' }, { reason: 'retry-after', until: lab.time(5000) }],
    estimate: lab.time(5000),
  });
  expect(lab.backlog(running)).toEqual({ inFlight: 1, 'retry-after': 1, retry: 1 });
});

test('warm-up: the rate for now', async () => {
  const running = await lab.run({ warmupMs: 10_000, rate: perSecond(10), concurrency: fixed(100) });
  await lab.append(...calls(3, 'x'));
  expect(lab.explain(running, 1)).toMatchObject({ waitingFor: [{ reason: 'warm-up' }], estimate: expect.any(String) });
  expect(lab.explain(running, 1).waitingFor[0]?.detail).toMatch(/^1\.0 a second, growing, until /);
  expect(lab.backlog(running)).toEqual({ inFlight: 1, 'warm-up': 2 });
  expect(running.runner.view.troubled()).toMatchObject([{ states: [{ state: 'warming up' }] }]);
});

test('budget: retries wait while first attempts go on', async () => {
  const running = await lab.run({
    retries: 5,
    backoff: [10],
    rate: perSecond(20),
    concurrency: fixed(1000),
    retryBudget: { share: 0.2, floorPerSecond: 0.1 },
  });
  lab.target.answer = ({ source }) => (source.body.toString().startsWith('bad') ? failed : delivered);
  await lab.append(...calls(10, 'bad'), ...calls(100, 'good'));
  let told = 0;
  for (let step = 0; step < 40; step += 1) {
    await lab.pass(50);
    const counted = lab.backlog(running).budget ?? 0;
    const waiting = Array.from({ length: 10 }, (_, offset) => lab.explain(running, offset));
    const held = waiting.filter(({ waitingFor }) => reasons(waitingFor).includes('budget'));
    expect(held.length).toBe(counted);
    for (const { waitingFor, estimate } of held) {
      expect(waitingFor[0]).toMatchObject({ reason: 'budget' });
      expect(waitingFor[0]?.detail).toContain('retries have had their 20 % of the attempts');
      expect(estimate).not.toBeUndefined();
    }
    told += counted;
    const all = Array.from({ length: 110 }, (_, offset) => lab.explain(running, offset));
    const open = all.filter(({ state }) => state !== 'settled').length;
    expect(Object.values(lab.backlog(running)).reduce((sum, count) => sum + count, 0)).toBe(open);
  }
  expect(told).toBeGreaterThan(0);
});

describe('what is not read', () => {
  test('unread: how many come before it, and what keeps the window full', async () => {
    const running = await lab.run({ concurrency: fixed(1) });
    await lab.append(...calls(3000, 'x'));
    const counts = lab.backlog(running);
    expect(counts.unread).toBeGreaterThan(1000);
    const explanation = lab.explain(running, 2999);
    expect(explanation).toMatchObject({ state: 'unread', offset: '2999', estimate: null });
    expect(reasons(explanation.waitingFor)).toEqual(['backlog', 'window']);
    const read = 3000 - (counts.unread ?? 0);
    expect(explanation.waitingFor[0]?.detail).toBe(`${2999 - read} messages of the partition come before it`);
    expect(explanation.waitingFor[1]?.detail).toBe(
      `${read} that were read are not settled, the oldest is id-x0 for ${a}`,
    );
    expect(counts.concurrency).toBe(read - 1);
  });
});

test('turn: nothing holds it but those before it', async () => {
  const running = await lab.run({ concurrency: fixed(1) });
  await lab.append(...calls(4, 'x'));
  expect(lab.explain(running, 3)).toMatchObject({
    waitingFor: [
      { reason: 'concurrency', detail: '1 of 1 in flight' },
      { reason: 'turn', detail: '2 ready before it for the same destination' },
    ],
    estimate: null,
  });
});

test('to dead letter: while that cannot be written', async () => {
  const running = await lab.run();
  const { broker } = lab;
  await lab.append(call('x'), { ...call('y'), headers: {} });
  const append = broker.append.bind(broker);
  // The broker refuses; what is real of it stays.
  broker.append = () => Promise.reject(new Error('full'));
  await lab.end('x', rejected);
  expect(lab.explain(running, 0)).toMatchObject({ state: 'to dead letter', waitingFor: [], estimate: null });
  broker.append = append;
  await lab.pass(1000);
  expect(lab.explain(running, 0).state).toBe('settled');
  expect(lab.explain(running, 1).state).toBe('settled');
});

test('every unsettled message is in exactly one count, whatever it waits for', async () => {
  const running = await lab.run({
    concurrency: fixed(6),
    destination: { rate: perSecond(5), concurrency: fixed(2) },
    circuit: { ...circuit, minStats: 3 },
    backoff: [300],
  });
  await lab.append(...calls(10, 'x', a), ...calls(10, 'y', b), call('k1', a, 'k'), call('k2', a, 'k'));
  for (let step = 0; step < 30; step += 1) {
    const [attempt] = lab.target.inFlight;
    if (attempt !== undefined) await lab.end(attempt.body, step % 3 === 0 ? refused : delivered);
    await lab.pass(100);
    let open = 0;
    for (let offset = 0; offset < 22; offset += 1) if (lab.explain(running, offset).state !== 'settled') open += 1;
    const counts = Object.values(lab.backlog(running));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(open);
  }
});
