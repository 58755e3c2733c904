// A parked key's messages follow its dead letter, and a redrive brings them back in their order, whenever the owner dies.
import { afterEach, describe, expect, test } from 'vitest';
import type { RedriveOrder } from '#src/dispatcher/dead-letters/redrive.js';
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import { deadLetterTopic } from '#src/message/side-topic.js';
import { delivered, failed, rejected } from '../../../support/scripted-target.js';
import { Seeded } from '../../../support/seeded.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const url = 'http://a.example/';
const dead = 'http://dead.example/';
const eager = {
  rate: perSecond(1_000_000),
  concurrency: fixed(50),
  retries: 0,
  backoff: [100],
  poison: 'park' as const,
};
const everything = { partition: null, from: 0n, to: null };
const order = { range: everything, perSecond: 100_000, canary: 1, abortIfFailRate: 1 };

let lab: SpillLab;
afterEach(() => lab.close());

/** Bodies that were delivered, each at its first time. */
function noteDeliveries(outcomeOf: (body: string, delivery: Delivery) => Outcome): string[] {
  const bodies: string[] = [];
  lab.target.answer = (delivery) => {
    const body = delivery.source.body.toString();
    const outcome = outcomeOf(body, delivery);
    if (outcome.kind === 'delivered' && !bodies.includes(body)) bodies.push(body);
    return outcome;
  };
  return bodies;
}

const open = () => lab.runner.letters.box?.counts().reduce((sum, count) => sum + Number(count.open), 0) ?? -1;
const parked = () => lab.runner.letters.parkedKeys(1000).map(({ key }) => key);
const report = () => lab.runner.letters.redrive?.report;

async function redrive(changes: Partial<RedriveOrder> = {}): Promise<void> {
  await lab.until('none is under way', () => lab.runner.letters.redrive?.isUnderWay !== true);
  expect(lab.runner.resending.startRedrive({ ...order, ...changes })).not.toBeNull();
  await lab.until('the redrive has ended', () => lab.runner.letters.redrive?.isUnderWay === false);
}

describe('a key whose message cannot be delivered', () => {
  test('is parked: what comes for it follows, and other keys go on', async () => {
    lab = await SpillLab.start(eager);
    const bodies = noteDeliveries((body) => (body === 'a1' ? rejected : delivered));
    await lab.append(lab.call('a1', 'a', url), lab.call('a2', 'a', url), lab.call('b1', 'b', url));
    await lab.until('both are dead letters', () => open() === 2);
    await lab.append(lab.call('a3', 'a', url), lab.call('b2', 'b', url), lab.call('x', null, url));
    await lab.until('the third one too', () => open() === 3 && bodies.length === 3);
    expect(bodies).toEqual(['b1', 'b2', 'x']);
    expect(parked()).toEqual(['a']);
    const letters = await lab.runner.letters.box?.read(everything, 10);
    expect(letters?.map(({ body, headers }) => `${body.toString()} ${headers['bigpipe-dlq-reason']}`)).toEqual([
      'a1 rejected',
      'a2 parked',
      'a3 parked',
    ]);
    await lab.until('all of it is settled', () => lab.lag('orders') === 0n);
  });

  test('of another destination is not parked', async () => {
    lab = await SpillLab.start(eager);
    const bodies = noteDeliveries((_body, { destination }) =>
      destination === 'http://dead.example' ? rejected : delivered,
    );
    await lab.append(lab.call('a1', 'a', dead), lab.call('a2', 'a', url), lab.call('a3', 'a', dead));
    await lab.until('two are dead letters', () => open() === 2 && bodies.length === 1);
    expect(bodies).toEqual(['a2']);
  });

  test('comes back in its order with a redrive, and what comes meanwhile goes behind it', async () => {
    lab = await SpillLab.start(eager);
    let isWell = false;
    const bodies = noteDeliveries((body) => (isWell || !body.startsWith('a') ? delivered : rejected));
    await lab.append(...Array.from({ length: 500 }, (_, i) => lab.call(`a${i}`, 'a', url)));
    await lab.until('all are dead letters', () => open() === 500);
    isWell = true;
    expect(lab.runner.resending.startRedrive({ ...order, perSecond: 1000 })).not.toBeNull();
    for (let i = 500; i < 700; i += 10) {
      await lab.append(...Array.from({ length: 10 }, (_, n) => lab.call(`a${i + n}`, 'a', url)));
      await lab.until('some more are delivered', () => bodies.length >= i - 499);
    }
    await lab.until('all are delivered', () => bodies.length === 700);
    expect(bodies).toEqual(Array.from({ length: 700 }, (_, i) => `a${i}`));
    await lab.until('nothing is left', () => open() === 0 && parked().length === 0);
    await lab.append(lab.call('a700', 'a', url));
    await lab.until('the key goes on', () => bodies.at(-1) === 'a700');
    expect(open()).toBe(0);
  });

  test('that still fails stays where it is, in its order, and the redrive says so', async () => {
    lab = await SpillLab.start(eager);
    let isWell = false;
    const bodies = noteDeliveries((body) => (isWell || body.startsWith('b') ? delivered : rejected));
    const keys = ['a', 'b'];
    await lab.append(...Array.from({ length: 20 }, (_, i) => lab.call(`${keys[i % 2]}${i}`, keys[i % 2] ?? '', url)));
    await lab.until('ten are dead letters', () => open() === 10 && bodies.length === 10);
    await redrive();
    expect(report()).toMatchObject({ state: 'done', total: 10, sent: 1, delivered: 0, failed: 1, held: 9 });
    expect([open(), parked()]).toEqual([10, ['a']]);
    isWell = true;
    await redrive();
    expect(report()).toMatchObject({ state: 'done', total: 10, sent: 10, delivered: 10, failed: 0, held: 0 });
    expect(bodies.slice(10)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18].map((n) => `a${n}`));
    expect([open(), parked()]).toEqual([0, []]);
  });

  test('is not sent from the middle: what is left out holds back what comes after it', async () => {
    lab = await SpillLab.start(eager);
    let isWell = false;
    const bodies = noteDeliveries(() => (isWell ? delivered : rejected));
    await lab.append(...[0, 1, 2, 3].map((i) => lab.call(`a${i}`, 'a', url)));
    await lab.until('four are dead letters', () => open() === 4);
    isWell = true;
    await redrive({ range: { partition: 0, from: 2n, to: 4n } });
    expect(report()).toMatchObject({ state: 'done', total: 2, sent: 0, held: 2 });
    await redrive({ range: { partition: 0, from: 0n, to: 2n } });
    expect(bodies).toEqual(['a0', 'a1']);
    expect(parked()).toEqual(['a']);
    await redrive();
    expect(bodies).toEqual(['a0', 'a1', 'a2', 'a3']);
  });

  test('goes on once its letters are purged', async () => {
    lab = await SpillLab.start(eager);
    const bodies = noteDeliveries((body) => (body === 'a0' ? rejected : delivered));
    await lab.append(lab.call('a0', 'a', url), lab.call('a1', 'a', url));
    await lab.until('two are dead letters', () => open() === 2);
    expect(await lab.runner.resending.purge(everything)).toBe(2n);
    await lab.append(lab.call('a2', 'a', url));
    await lab.until('the key goes on', () => bodies.length === 1);
    expect([bodies, parked(), open()]).toEqual([['a2'], [], 0]);
  });

  test('stays parked through a kill', async () => {
    lab = await SpillLab.start(eager);
    let isWell = false;
    const bodies = noteDeliveries((body) => (isWell || body !== 'a0' ? delivered : rejected));
    await lab.append(lab.call('a0', 'a', url), lab.call('a1', 'a', url));
    await lab.until('two are dead letters', () => open() === 2);
    await lab.until('all of it is settled', () => lab.lag('orders') === 0n);
    await lab.kill();
    await lab.append(lab.call('a2', 'a', url), lab.call('b', 'b', url));
    await lab.join();
    await lab.until('the third one followed', () => open() === 3 && bodies.length === 1);
    isWell = true;
    await redrive();
    expect(bodies).toEqual(['b', 'a0', 'a1', 'a2']);
    await lab.until('it is no longer parked', () => parked().length === 0);
    await lab.until('and its record is settled', () => lab.lag('orders.G.parked') === 0n);
    await lab.kill();
    await lab.join();
    await lab.append(lab.call('a3', 'a', url));
    await lab.until('it goes on', () => bodies.at(-1) === 'a3');
  });

  test('blocks when too many keys are parked already', async () => {
    lab = await SpillLab.start(eager);
    const attempts = new Map<string, number>();
    lab.target.answer = ({ source, destination }) => {
      const body = source.body.toString();
      attempts.set(body, (attempts.get(body) ?? 0) + 1);
      return destination === 'http://dead.example' ? rejected : delivered;
    };
    await lab.append(...Array.from({ length: 513 }, (_, i) => lab.call(`${i}`, `k${i}`, dead)));
    await lab.until('one of them is tried again', () => [...attempts.values()].some((count) => count > 2));
    expect([open(), parked().length]).toEqual([512, 512]);
    expect(await lab.runner.resending.purge(everything)).toBe(512n);
    await lab.until('then that one is parked', () => open() === 1);
  });
});

test('without dead letters what cannot be delivered is counted as lost, and said', async () => {
  lab = await SpillLab.start({ ...eager, poison: 'skip', deadLetterTopic: null });
  const bodies = noteDeliveries((body) => (body === 'a0' ? rejected : delivered));
  await lab.append(lab.call('a0', 'a', url), lab.call('a1', 'a', url));
  await lab.until('the key goes on', () => bodies.length === 1);
  expect(lab.client).toMatchObject({ rpcFail: 1, lost: 1, deadLetters: 0 });
  expect(lab.reports.some((text) => text.includes('lost'))).toBe(true);
  await lab.until('all is settled', () => lab.lag('orders') === 0n);
});

test('dead letters stand where the subscription says', async () => {
  lab = await SpillLab.start({ ...eager, deadLetterTopic: 'graveyard' });
  noteDeliveries(() => rejected);
  await lab.append(lab.call('a0', 'a', url));
  await lab.until('it stands there', () => lab.broker.lag('reader', 'graveyard')[0]?.highWatermark === 1n);
});

describe('through poison, spill, redrive, stops and kills at any moment', () => {
  test.each(Array.from({ length: 30 }, (_, i) => i + 1))(
    'nothing is lost and no key is out of order (seed %i)',
    async (seed) => {
      lab = await SpillLab.start({ ...eager, retries: 1, backoff: [300] }, 2);
      const seeded = new Seeded(seed);
      const random = (below: number) => seeded.below(below);
      const isDead = [false, false, true];
      const poison = new Set<string>();
      let isOver = false;
      const bodies = noteDeliveries((body, { destination }) => {
        if (isOver) return delivered;
        if (poison.has(body)) return random(2) === 0 ? rejected : failed;
        return isDead[Number(/d(\d)/.exec(destination)?.[1])] === true ? failed : delivered;
      });
      const count = 4000;
      const calls = Array.from({ length: count }, (_, i) => {
        if (random(50) === 0) poison.add(`${i}`);
        return { i, key: random(5) === 0 ? null : `k${random(20)}`, n: random(3) };
      });
      for (let at = 0; at < count; at += 500) {
        await lab.append(
          ...calls.slice(at, at + 500).map(({ i, key, n }) => lab.call(`${i}`, key, `http://d${n}.example/`)),
        );
        for (let step = 0; step < 4; step += 1) {
          isDead[random(3)] = random(3) === 0;
          if (random(3) === 0) for (const body of poison) if (random(2) === 0) poison.delete(body);
          if (random(2) === 0)
            lab.runner.resending.startRedrive({ ...order, perSecond: random(2) === 0 ? 100_000 : 300 });
          for (let turn = random(30); turn > 0; turn -= 1) {
            lab.clock.advance(random(60));
            await new Promise((resolve) => setImmediate(resolve));
          }
          if (random(4) === 0) lab.runner.letters.redrive?.stop('by the test');
          if (random(3) > 0) continue;
          await lab.kill();
          await lab.join();
        }
      }
      isOver = true;
      poison.clear();
      lab.runner.letters.redrive?.stop('by the test');
      await lab.until(
        'what is not parked is settled',
        () => lab.lag('orders') + lab.lag('orders.G.overflow') === 0n,
        100,
      );
      for (let turn = 0; turn < 5 && open() > 0; turn += 1) await redrive();
      await lab.until('all are delivered', () => new Set(bodies).size === count, 100);
      expect(lab.lag(deadLetterTopic('orders', 'G'))).toBeDefined();
      const place = new Map(bodies.map((body, at) => [Number(body), at]));
      const last = new Map<string, { i: number; at: number }>();
      const overtaken: string[] = [];
      for (const { i, key, n } of calls) {
        if (key === null) continue;
        const before = last.get(`${n} ${key}`);
        const now = place.get(i) ?? -1;
        if (before !== undefined && now < before.at) overtaken.push(`${i} before ${before.i} of ${key} to ${n}`);
        if (before === undefined || now > before.at) last.set(`${n} ${key}`, { i, at: now });
      }
      expect(overtaken).toEqual([]);
      expect([open(), parked()]).toEqual([0, []]);
    },
  );
});
