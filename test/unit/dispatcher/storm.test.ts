// Everything at once on one subscription, by a seed: spill, poison, parking, redrives, late answers, a log that refuses, clean stops, kills, lost ownership.
import { afterEach, describe, expect, test } from 'vitest';
import type { Delivery } from '#src/message/delivery.js';
import { BigpipeError } from '#src/message/errors.js';
import type { Acks, Message } from '#src/message/message.js';
import type { Outcome } from '#src/message/outcome.js';
import { overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed, rejected } from '../../support/scripted-target.js';
import { Seeded } from '../../support/seeded.js';
import { SpillLab } from '../../support/spill-lab.js';
import { fixed, perSecond } from '../../support/subscription.js';

const count = 6000;
const step = 2000;
const everything = { partition: null, from: 0n, to: null };
const order = { range: everything, perSecond: 100_000, canary: 1, abortIfFailRate: 1 };
const full = () => new BigpipeError('storage-full', 'the log is full');

let lab: SpillLab;
let isOver = false;
/** Storms in which messages waited in the overflow. */
let spilled = 0;

afterEach(async () => {
  isOver = true;
  let closed = false;
  const closing = lab.close().then(() => {
    closed = true;
  });
  await lab.until('it is closed', () => closed, 100);
  await closing;
});

const open = () => lab.runner.letters.box?.counts().reduce((sum, letters) => sum + Number(letters.open), 0) ?? -1;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Appends of the program's own are answered late, and refused at times. */
function weather(random: Seeded): { isRefusing: boolean } {
  const state = { isRefusing: false };
  const append = lab.broker.append.bind(lab.broker);
  lab.broker.append = async (messages: readonly Message[], acks: Acks, isWanted?: () => boolean) => {
    if (messages.every(({ topic }) => topic === 'orders')) return append(messages, acks);
    if (state.isRefusing) throw full();
    const positions = await append(messages, acks, isWanted);
    if (random.below(3) === 0) {
      await new Promise<void>((resolve) => {
        lab.clock.setTimer(random.below(80), resolve);
      });
    }
    return positions;
  };
  return state;
}

/** Bodies in the order in which they were delivered first. */
function receiver(random: Seeded, outcomeOf: (body: string, destination: number) => Outcome): string[] {
  const bodies: string[] = [];
  const seen = new Set<string>();
  lab.target.send = ({ source, destination }: Delivery, signal: AbortSignal) =>
    new Promise((resolve) => {
      const end = () => {
        const body = source.body.toString();
        const outcome = outcomeOf(body, Number(/d(\d)/.exec(destination)?.[1]));
        if (outcome.kind === 'delivered' && !seen.has(body)) {
          seen.add(body);
          bodies.push(body);
        }
        resolve(outcome);
      };
      signal.addEventListener('abort', () => resolve({ kind: 'aborted' }));
      if (isOver || random.below(2) === 0) end();
      else lab.clock.setTimer(random.below(120), () => (signal.aborted ? undefined : end()));
    });
  return bodies;
}

async function endLife(random: Seeded): Promise<void> {
  const die = () => (random.below(2) === 0 ? lab.kill() : lab.loseOwnership());
  if (random.below(3) < 2) await die();
  else {
    let drained = false;
    const draining = lab.runner.drain().then(() => {
      drained = true;
    });
    await lab.until('it has drained', () => drained, 100);
    await draining;
    await die();
  }
  await lab.join();
}

describe('nothing is lost and no key is out of order', () => {
  test.each(Array.from({ length: 8 }, (_, i) => i + 1))('in a storm (seed %i)', async (seed) => {
    isOver = false;
    const random = new Seeded(seed);
    const limits = { rate: perSecond(1_000_000), concurrency: fixed(30), timeoutMs: 1000 };
    lab = await SpillLab.start({ ...limits, poison: 'park', retries: 30, backoff: [300] }, 2);
    const sky = weather(random);
    const isDead = [true, false, true];
    const poison = new Set<string>();
    const bodies = receiver(random, (body, destination) => {
      if (isOver) return delivered;
      if (poison.has(body)) return rejected;
      return isDead[destination] === true ? failed : delivered;
    });
    const calls = Array.from({ length: count }, (_, i) => {
      if (random.below(50) === 0) poison.add(`${i}`);
      return { i, key: random.below(5) === 0 ? null : `k${random.below(20)}`, n: random.below(3) };
    });
    for (let at = 0; at < count; at += step) {
      await lab.append(
        ...calls.slice(at, at + step).map(({ i, key, n }) => lab.call(`${i}`, key, `http://d${n}.example/`)),
      );
      for (let turn = 0; turn < 6; turn += 1) {
        if (random.below(8) === 0) isDead[random.below(3)] = random.below(3) === 0;
        for (const body of poison) if (random.below(6) === 0) poison.delete(body);
        if (random.below(2) === 0)
          lab.runner.resending.startRedrive({ ...order, perSecond: random.below(2) === 0 ? 100_000 : 300 });
        sky.isRefusing = random.below(4) === 0;
        for (let rest = random.below(40); rest > 0; rest -= 1) {
          lab.clock.advance(random.below(60));
          await nextTurn();
        }
        if (random.below(4) === 0) lab.runner.letters.redrive?.stop('by the test');
        sky.isRefusing = false;
        if (random.below(3) === 0) await endLife(random);
      }
    }
    if (lab.broker.lag('G', overflowTopic('orders', 'G')).some(({ highWatermark }) => highWatermark > 0n)) spilled += 1;
    isOver = true;
    lab.runner.letters.redrive?.stop('by the test');
    await lab.until(
      'what is not parked is settled',
      () => lab.lag('orders') + lab.lag('orders.G.overflow') === 0n,
      100,
    );
    for (let turn = 0; turn < 5 && open() > 0; turn += 1) {
      await lab.until('no redrive is under way', () => lab.runner.letters.redrive?.isUnderWay !== true, 100);
      lab.runner.resending.startRedrive(order);
      await lab.until('it has ended', () => lab.runner.letters.redrive?.isUnderWay === false, 100);
    }
    await lab.until('all are delivered', () => bodies.length === count, 100);
    const place = new Map(bodies.map((body, at) => [Number(body), at]));
    const last = new Map<string, number>();
    const overtaken: string[] = [];
    for (const { i, key, n } of calls) {
      const at = place.get(i) ?? -1;
      if (key === null) continue;
      const before = last.get(`${n} ${key}`) ?? -1;
      if (at < before) overtaken.push(`${i} of ${key} to ${n}`);
      last.set(`${n} ${key}`, Math.max(before, at));
    }
    expect(overtaken).toEqual([]);
    expect([open(), lab.runner.letters.parkedKeys(10)]).toEqual([0, []]);
  });
});

test('most of them spilled', () => {
  expect(spilled).toBeGreaterThan(4);
});
