// Messages whose caller asked for a later moment, a bound, or no delivery at all.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { NotYet } from '#src/dispatcher/window/not-yet.js';
import type { Work } from '#src/dispatcher/window/partition-window.js';
import type { Message } from '#src/message/message.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { call, RunnerLab, type Running } from '../../../support/runner-lab.js';
import { delivered, failed } from '../../../support/scripted-target.js';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
  lab.target.answer = () => delivered;
});

afterEach(() => lab.close());

const startMs = 1_000_000;

const later = (body: string, inMs: number, key: string | null = null): Message => {
  const plain = call(body, undefined, key);
  return { ...plain, headers: { ...plain.headers, 'bigpipe-not-before': String(lab.clock.now() + inMs) } };
};

const until = (message: Message, inMs: number): Message => ({
  ...message,
  headers: { ...message.headers, 'bigpipe-expires': String(lab.clock.now() + inMs) },
});

const sentAt = () => Object.fromEntries(lab.target.sent.map(({ body, atMs }) => [body, atMs - startMs]));

const lettersOf = async () => {
  const { messages } = await lab.broker.fetch({ topic: 'orders.G.dlq', partition: 0 }, 0n);
  return messages.map(({ body, headers }) => [
    body.toString(),
    headers['bigpipe-dlq-reason'],
    headers['bigpipe-dlq-attempts'],
  ]);
};

describe('not before', () => {
  const waits = [1, 500, 999, 1000, 5000, 9999, 10_000, 10_001, 25_000, 61_000, 700_000, 4_000_000];

  test.each(waits)('%i ms: never before, and within a second after', async (waitMs) => {
    await lab.run();
    await lab.append(later('x', waitMs));
    await lab.pass(waitMs - 1, Math.max(1, Math.floor(waitMs / 50)));
    expect(lab.target.sent).toEqual([]);
    await lab.pass(1000, 10);
    expect(sentAt()['x']).toBeGreaterThanOrEqual(waitMs);
    expect(sentAt()['x']).toBeLessThanOrEqual(waitMs + 1000);
    expect(lab.target.sent.map(({ attempt, redelivery }) => [attempt, redelivery])).toEqual([[1, null]]);
  });

  test('whoever is due goes past those that are not, also within a key', async () => {
    await lab.run();
    await lab.append(
      later('a', 3000, 'k'),
      call('b', undefined, 'k'),
      later('c', 20_000, 'k'),
      call('d', undefined, 'k'),
    );
    expect(sentAt()).toEqual({ b: 0, d: 0 });
    await lab.pass(30_000, 100);
    expect(sentAt()).toMatchObject({ a: 3000, b: 0, d: 0 });
    expect(sentAt()['c']).toBeGreaterThanOrEqual(20_000);
    expect(sentAt()['c']).toBeLessThanOrEqual(21_000);
  });

  test('what is due of a key waits for those of the key that are under way', async () => {
    lab.target.answer = null;
    await lab.run();
    await lab.append(later('a', 3000, 'k'), call('b', undefined, 'k'));
    await lab.pass(5000, 100);
    expect(lab.bodies()).toEqual(['b']);
    await lab.end('b', delivered);
    expect(lab.bodies()).toEqual(['b', 'a']);
  });

  test('more than a window holds wait, and none of them holds up what is due', async () => {
    const running = await lab.run();
    const many = Array.from({ length: 5000 }, (_, i) => later(`m${i}`, 8000));
    await lab.append(...many, call('now'));
    for (let turn = 0; turn < 400 && lab.target.sent.length === 0; turn += 1) await lab.rest();
    expect(lab.bodies()).toEqual(['now']);
    expect(lab.backlog(running).delayed).toBe(5000);
    await lab.pass(7999, 100);
    expect(lab.bodies()).toEqual(['now']);
    await lab.pass(6001, 50);
    expect(lab.target.sent.length).toBe(5001);
  });

  test('a retry keeps its place in its key', async () => {
    lab.target.answer = ({ source }) =>
      source.body.toString() === 'a' && lab.target.sent.length < 2 ? failed : delivered;
    await lab.run({ backoff: [100] });
    await lab.append(later('a', 1000, 'k'));
    await lab.pass(1000, 50);
    await lab.append(call('b', undefined, 'k'));
    await lab.pass(500, 50);
    expect(lab.bodies()).toEqual(['a', 'a', 'b']);
  });

  test('explain says until when', async () => {
    const running = await lab.run();
    await lab.append(later('short', 5000), later('long', 90_000));
    expect(lab.explain(running, 0)).toMatchObject({
      state: 'waiting',
      waitingFor: [{ reason: 'delay', until: lab.time(5000) }],
      estimate: lab.time(5000),
    });
    expect(lab.explain(running, 1)).toMatchObject({
      state: 'waiting',
      waitingFor: [{ reason: 'delay', until: lab.time(90_000) }],
    });
    await running.runner.drain();
  });

  const ends: [string, (running: Running) => Promise<void>][] = [
    ['a clean end', ({ runner, membership }) => runner.drain().then(() => membership.leave())],
    [
      'an end without a word',
      ({ runner, membership }) => {
        const left = membership.leave();
        // What it would still commit comes too late.
        void runner.drain();
        return left;
      },
    ],
  ];
  test.each(ends)('%s while they wait: each comes once, in its time', async (_what, end) => {
    const first = await lab.run();
    await lab.append(later('short', 5000, 'k'), later('middle', 15_000), later('long', 90_000, 'k'));
    await lab.pass(1000, 20);
    await end(first);
    await lab.run();
    await lab.pass(120_000, 100);
    expect(lab.bodies().sort()).toEqual(['long', 'middle', 'short']);
    for (const [body, dueMs] of [
      ['short', 5000],
      ['middle', 15_000],
      ['long', 90_000],
    ] as const) {
      expect(sentAt()[body]).toBeGreaterThanOrEqual(dueMs);
      expect(sentAt()[body]).toBeLessThanOrEqual(dueMs + 1000);
    }
  });
});

describe('expires', () => {
  test('what comes to its turn too late goes to the dead letters unsent', async () => {
    const { runner } = await lab.run({ rate: { perSecond: 1, burst: 1 } });
    await lab.append(call('a'), until(call('b'), 500), until(call('c'), 60_000));
    await lab.pass(5000, 100);
    expect(lab.bodies()).toEqual(['a', 'c']);
    expect(await lettersOf()).toEqual([['b', 'expired', '0']]);
    expect(lab.client).toMatchObject({ expired: 1, rpcFail: 1, deadLetters: 1 });
    expect(runner.view.backlog().inFlight).toBe(0);
  });

  test('it took nothing of the rate', async () => {
    await lab.run({ rate: { perSecond: 1, burst: 1 } });
    await lab.append(...Array.from({ length: 20 }, (_, i) => until(call(`old${i}`), 1)));
    await lab.append(call('now'));
    await lab.pass(1000, 100);
    expect(lab.bodies()).toEqual(['old0', 'now']);
  });

  test('it is looked at before each attempt', async () => {
    lab.target.answer = () => failed;
    await lab.run({ retries: 10, backoff: [1000] });
    await lab.append(until(call('x'), 2500));
    await lab.pass(10_000, 100);
    expect(lab.bodies()).toEqual(['x', 'x', 'x']);
    expect(await lettersOf()).toEqual([['x', 'expired', '3']]);
  });

  test.each(['skip', 'block', 'park'] as const)('with poison %s its key goes on', async (poison) => {
    lab.target.answer = ({ source }) => (source.body.toString() === 'x' ? failed : delivered);
    await lab.run({ poison, retries: 100, backoff: [500] });
    await lab.append(until(call('x', undefined, 'k'), 1200), call('y', undefined, 'k'));
    await lab.pass(5000, 100);
    expect(lab.bodies().at(-1)).toBe('y');
    expect(await lettersOf()).toEqual([['x', 'expired', '3']]);
  });
});

describe('cancelled', () => {
  test('is settled unsent, and is no dead letter', async () => {
    const running = await lab.run();
    await lab.append(later('a', 2000), later('b', 2000), later('c', 15_000, 'k'), later('d', 15_000, 'k'));
    lab.cancelled.add('id-a').add('id-c');
    await lab.pass(20_000, 100);
    expect(lab.bodies().sort()).toEqual(['b', 'd']);
    expect(await lettersOf()).toEqual([]);
    expect(lab.client).toMatchObject({ cancelled: 2, rpcFail: 0, rpcSuccess: 2, rpcTotal: 4 });
    expect(lab.explain(running, 0).state).toBe('settled');
  });

  test('between two attempts no more is made', async () => {
    lab.target.answer = () => failed;
    await lab.run({ retries: 10, backoff: [1000] });
    await lab.append(call('x', undefined, 'k'), call('y', undefined, 'k'));
    lab.cancelled.add('id-x');
    await lab.pass(500);
    lab.target.answer = () => delivered;
    await lab.pass(2000, 100);
    expect(lab.bodies()).toEqual(['x', 'y']);
  });
});

test('of one moment the first stays first, wherever between two milliseconds they are read', () => {
  /** Unix time in whole milliseconds, as a system tells it. */
  class WholeClock extends FakeClock {
    override now(): number {
      return Math.floor(super.now());
    }
  }
  const clock = new WholeClock(1000.9);
  const came: string[] = [];
  const notYet = new NotYet({
    clock,
    due: ({ lane }) => came.push(String(lane)),
    batchEnded: () => undefined,
    delay: () => expect.unreachable(),
    isRefused: () => false,
  });
  const window = { isHalfFull: false, closed: false };
  for (const lane of ['first', 'second', 'third']) {
    const work = {
      lane,
      resent: null,
      window,
      delivery: { notBeforeMs: 2500, attempt: 1, source: { timestampMs: 1000 } },
    };
    expect(notYet.take(work as unknown as Work)).toBe(true);
    clock.advance(0.2);
  }
  clock.advance(2000);
  expect(came).toEqual(['first', 'second', 'third']);
});
