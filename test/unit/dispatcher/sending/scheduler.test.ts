// What goes when: order, limits and gates of each destination, over a whole subscription at work.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { aborted, busy, refused, timedOut } from '../../../support/outcomes.js';
import { a, b, call, calls, RunnerLab } from '../../../support/runner-lab.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const circuit = { breakPeriodMs: 2000, recoverPeriodMs: 4000, windowSeconds: 10, minStats: 4, healthRate: 0.5 };
const shop = { name: 'shop', origins: [a, b], rate: null, concurrency: null };
const c = 'http://c.example';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

describe('order', () => {
  test('partition: one after the other, whatever the key and the destination', async () => {
    await lab.run({ ordering: 'partition' });
    await lab.append(call('1', a, 'k'), call('2', b, 'j'), call('3', a), call('4', b));
    for (const [i, body] of ['1', '2', '3', '4'].entries()) {
      expect(lab.bodies().length).toBe(i + 1);
      await lab.end(body, delivered);
    }
    expect(lab.bodies()).toEqual(['1', '2', '3', '4']);
  });

  test('partition: a retry holds all that come behind it', async () => {
    await lab.run({ ordering: 'partition' });
    await lab.append(call('1'), call('2', b));
    await lab.end('1', failed);
    await lab.pass(99);
    expect(lab.bodies()).toEqual(['1']);
    await lab.pass(1);
    await lab.end('1', delivered);
    expect(lab.bodies()).toEqual(['1', '1', '2']);
  });

  test('none: a key holds nobody', async () => {
    await lab.run({ ordering: 'none' });
    await lab.append(call('1', a, 'k'), call('2', a, 'k'), call('3', a, 'k'));
    expect(lab.bodies()).toEqual(['1', '2', '3']);
  });

  test('a key keeps its order over all origins of a named destination', async () => {
    await lab.run({ destinations: [shop] });
    await lab.append(call('1', a, 'k'), call('2', b, 'k'), call('3', c, 'k'));
    expect(lab.bodies()).toEqual(['1', '3']);
    await lab.end('1', delivered);
    expect(lab.target.sent.map(({ body, destination }) => [body, destination])).toEqual([
      ['1', 'shop'],
      ['3', c],
      ['2', 'shop'],
    ]);
  });
});

describe('a destination', () => {
  test('has its own limit of requests in flight, one for all origins of a name', async () => {
    await lab.run({
      concurrency: fixed(20),
      destination: { rate: null, concurrency: fixed(2) },
      destinations: [{ ...shop, concurrency: fixed(3) }],
    });
    await lab.append(...calls(5, 'a', a), ...calls(5, 'b', b), ...calls(5, 'c', c));
    expect([lab.bodies('shop').length, lab.bodies(c).length]).toEqual([3, 2]);
    await lab.end('c0', delivered);
    expect([lab.bodies('shop').length, lab.bodies(c).length]).toEqual([3, 3]);
  });

  test('has its own rate, retries included, and the others theirs', async () => {
    await lab.run({ destination: { rate: perSecond(2), concurrency: null }, backoff: [1] });
    lab.target.answer = ({ attempt }) => (attempt === 1 ? failed : delivered);
    await lab.append(...calls(4, 'a', a), ...calls(4, 'b', b));
    expect([lab.bodies(a).length, lab.bodies(b).length]).toEqual([2, 2]);
    for (let half = 1; half <= 6; half += 1) {
      await lab.pass(499);
      expect([lab.bodies(a).length, lab.bodies(b).length]).toEqual([half + 1, half + 1]);
      await lab.pass(1);
      expect([lab.bodies(a).length, lab.bodies(b).length]).toEqual([half + 2, half + 2]);
    }
  });

  test('beside others has at most half, alone all', async () => {
    await lab.run({ concurrency: fixed(8) });
    await lab.append(...calls(20, 'a', a));
    expect(lab.bodies(a).length).toBe(8);
    await lab.append(...calls(2, 'b', b));
    for (let i = 0; i < 4; i += 1) await lab.end(`a${i}`, delivered);
    expect([lab.bodies(a).length, lab.bodies(b).length]).toEqual([8, 2]);
    await lab.end('a4', delivered);
    expect(lab.bodies(a).length).toBe(9);
  });

  test('that only times out leaves nearly all to the others', async () => {
    await lab.run({ concurrency: fixed(8), retries: 0 });
    await lab.append(...calls(60, 'a', a));
    for (let i = 0; i < 12; i += 1) {
      for (const { body } of lab.target.inFlight) if (body.startsWith('a')) lab.target.end(body, timedOut);
      await lab.pass(1000);
      await lab.append(call(`b${i}`, b));
      await lab.end(`b${i}`, delivered);
    }
    expect(lab.target.inFlight.filter(({ body }) => body.startsWith('a')).length).toBeLessThanOrEqual(1);
  });

  test('with the fewest in flight comes first', async () => {
    await lab.run({ concurrency: fixed(6) });
    await lab.append(...calls(10, 'a', a), ...calls(10, 'b', b), ...calls(10, 'c', c));
    const counts = () => [a, b, c].map((one) => lab.bodies(one).length);
    for (const { body } of lab.target.inFlight) lab.target.end(body, delivered);
    await lab.rest();
    const before = counts();
    for (const { body } of lab.target.inFlight) lab.target.end(body, delivered);
    await lab.rest();
    expect(counts().map((count, i) => count - (before[i] as number))).toEqual([2, 2, 2]);
  });
});

describe('Retry-After', () => {
  test('from one answer holds all of that destination for as long, and no other', async () => {
    await lab.run({ concurrency: fixed(4) });
    await lab.append(...calls(6, 'a', a), ...calls(2, 'b', b));
    lab.target.answer = () => delivered;
    await lab.end('a0', busy(429, 5000));
    for (const { body } of lab.target.inFlight) lab.target.end(body, delivered);
    await lab.rest();
    const before = lab.bodies(a).length;
    await lab.pass(4999, 50);
    expect(lab.bodies(a).length).toBe(before);
    await lab.append(call('b9', b));
    expect(lab.bodies(b)).toContain('b9');
    await lab.pass(1);
    expect(lab.bodies(a).length).toBe(before + 1);
    await lab.pass(10_000, 100);
    expect(lab.bodies(a).length).toBe(7);
  });
});

describe('a circuit', () => {
  test('opens, lets one probe through, recovers and closes; another destination does not notice', async () => {
    const running = await lab.run({ circuit, retries: 1000, backoff: [10], concurrency: fixed(8) });
    let isDead = true;
    lab.target.answer = ({ destination }) => (destination === a && isDead ? refused : delivered);
    await lab.append(...calls(20, 'a', a), ...calls(4, 'b', b));
    await lab.pass(100, 10);
    const state = () => running.runner.view.troubled()[0]?.states[0]?.state;
    expect(state()).toBe('open');
    expect(lab.bodies(b).length).toBe(4);
    const atOpening = lab.bodies(a).length;
    await lab.pass(1800, 50);
    expect(lab.bodies(a).length).toBe(atOpening);
    await lab.append(call('b9', b));
    expect(lab.bodies(b).length).toBe(5);
    await lab.pass(200, 50);
    expect(lab.bodies(a).length).toBe(atOpening + 1);
    isDead = false;
    await lab.pass(1800, 50);
    expect(lab.bodies(a).length).toBe(atOpening + 1);
    await lab.pass(200, 50);
    expect(state()).toBe('recovering');
    expect(lab.bodies(a).length).toBe(atOpening + 2);
    await lab.pass(4000, 50);
    expect(state()).toBeUndefined();
    expect(lab.backlog(running)).toEqual({});
  });

  test('that is open has one probe in flight at a time', async () => {
    await lab.run({ circuit, retries: 1000, backoff: [10], concurrency: fixed(8) });
    await lab.append(...calls(8, 'a', a));
    for (const { body } of lab.target.inFlight) lab.target.end(body, refused);
    await lab.rest();
    await lab.pass(60_000, 500);
    expect(lab.target.inFlight.length).toBe(1);
    const [probe] = lab.target.inFlight;
    await lab.end(probe?.body as string, refused);
    expect(lab.target.inFlight.length).toBe(0);
    await lab.pass(2000, 500);
    expect(lab.target.inFlight.length).toBe(1);
  });
});

describe('the retry budget', () => {
  test('lets first attempts go on while half of all attempts fail', async () => {
    await lab.run({ rate: perSecond(10), concurrency: fixed(50), retries: 1, backoff: [50] });
    lab.target.answer = ({ attempt }) => (attempt === 1 ? failed : delivered);
    await lab.append(...calls(400, 'a', a));
    await lab.pass(30_000, 50);
    const firsts = lab.target.sent.filter(({ attempt }) => attempt === 1).length;
    expect(firsts / lab.target.sent.length).toBeGreaterThanOrEqual(0.78);
    expect(lab.target.sent.length).toBeGreaterThanOrEqual(300);
  });

  test('holds no retry for which nobody waits', async () => {
    await lab.run({ retries: 3, backoff: [50] });
    lab.target.answer = ({ attempt }) => (attempt <= 3 ? failed : delivered);
    await lab.append(...calls(10, 'a', a));
    await lab.pass(200, 50);
    expect(lab.target.sent.length).toBe(40);
  });
});

describe('at the end', () => {
  test('nothing pends on the clock after drain, with every gate in use', async () => {
    const { runner } = await lab.run({
      circuit,
      warmupMs: 5000,
      concurrency: { min: 1, max: 20 },
      destination: { rate: perSecond(0.5), concurrency: { min: 1, max: 5 } },
    });
    await lab.append(...calls(10, 'a', a), ...calls(10, 'b', b), ...calls(3, 'c', c));
    await lab.end('a0', busy(503, 60_000));
    await lab.end('b0', failed);
    await lab.pass(1000, 100);
    expect(lab.clock.pending).toBeGreaterThan(0);
    const drained = runner.drain();
    for (const { end } of lab.target.inFlight) end(aborted);
    await drained;
    expect(lab.clock.pending).toBe(0);
  });

  test('nothing pends on the clock when a probe ends well during drain', async () => {
    const { runner } = await lab.run({ circuit, retries: 1000, backoff: [10] });
    await lab.append(...calls(8, 'a', a));
    for (const { body } of lab.target.inFlight) lab.target.end(body, refused);
    await lab.pass(2100, 100);
    expect(lab.target.inFlight.length).toBe(1);
    const drained = runner.drain();
    await lab.end(lab.target.inFlight[0]?.body as string, delivered);
    await drained;
    expect(lab.clock.pending).toBe(0);
  });

  test('once all is delivered nothing waits, nothing is counted and nothing pends', async () => {
    const running = await lab.run({ circuit });
    lab.target.answer = ({ attempt }) => (attempt === 1 ? busy(503) : delivered);
    await lab.append(...calls(3, 'a', a), call('k1', b, 'k'), call('k2', b, 'k'));
    await lab.pass(30_000, 100);
    expect(lab.backlog(running)).toEqual({});
    expect(lab.clock.pending).toBe(0);
  });
});
