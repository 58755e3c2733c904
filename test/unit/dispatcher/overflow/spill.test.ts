// What stands still goes to the overflow, in order, and comes back; what could go is not held up by it.
import { afterEach, describe, expect, test } from 'vitest';
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import { overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { Seeded } from '../../../support/seeded.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const dead = 'http://dead.example/';
const well = 'http://well.example/';
const overflow = overflowTopic('orders', 'G');
const eager = {
  rate: perSecond(1_000_000),
  concurrency: fixed(50),
  retries: 1000,
  backoff: { initialMs: 1000, maxMs: 5000, factor: 2, jitter: 'none' as const },
};

let lab: SpillLab;
afterEach(() => lab.close());

/** First deliveries in their order, as 'body'. */
function noteDeliveries(outcomeOf: (delivery: Delivery) => Outcome): string[] {
  const order: string[] = [];
  lab.target.answer = (delivery) => {
    const outcome = outcomeOf(delivery);
    const body = delivery.source.body.toString();
    if (outcome.kind === 'delivered' && !order.includes(body)) order.push(body);
    return outcome;
  };
  return order;
}

describe('a dead destination with most of the traffic', () => {
  test('does not hold up the others; back again, its calls come in the order of their keys, each once', async () => {
    lab = await SpillLab.start(eager);
    let isDead = true;
    const order = noteDeliveries(({ destination }) => (isDead && destination.includes('dead') ? failed : delivered));
    const calls = Array.from({ length: 10_000 }, (_, i) =>
      i % 10 === 0 ? lab.call(`well-${i}`, null, well) : lab.call(`dead-${i}`, `key-${i % 50}`, dead),
    );
    await lab.append(...calls);
    await lab.until('all of the others are delivered', () => order.length === 1000);
    expect(order.every((body) => body.startsWith('well'))).toBe(true);
    expect(lab.lag(overflow)).toBeGreaterThan(5000n);
    isDead = false;
    await lab.until('the dead one has all', () => order.length === 10_000);
    const byKey = new Map<number, number[]>();
    for (const body of order.slice(1000)) {
      const n = Number(body.slice(5));
      byKey.set(n % 50, [...(byKey.get(n % 50) ?? []), n]);
    }
    for (const numbers of byKey.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    await lab.until('all is settled', () => lab.lag('orders') === 0n && lab.lag(overflow) === 0n);
    expect(lab.client).toMatchObject({ rpcTotal: 10_000, rpcSuccess: 10_000, rpcFail: 0 });
    expect(lab.runner.view.backlog()).toMatchObject({ unread: 0, overflow: 0, order: 0, retry: 0, inFlight: 0 });
  });
});

test('what stays in memory of a dead destination keeps only its own bytes there, not all that it was read with', async () => {
  lab = await SpillLab.start(eager);
  const kept = new Set<number>();
  lab.target.answer = ({ source }) => {
    kept.add(source.body.buffer.byteLength);
    return failed;
  };
  const slab = Buffer.alloc(1_000_000, 'x');
  const body = (i: number) => slab.subarray(i * 100, i * 100 + 100);
  await lab.append(
    ...Array.from({ length: 3000 }, (_, i) => ({ ...lab.call(`${i}`, `key-${i}`, dead), body: body(i) })),
  );
  await lab.until('an attempt is made of what has only its own bytes', () => [...kept].some((bytes) => bytes < 1000));
});

describe('through spilling, turning round and kills at any moment', () => {
  test.each(Array.from({ length: 30 }, (_, i) => i + 1))(
    'nothing is lost and no key is out of order (seed %i)',
    async (seed) => {
      lab = await SpillLab.start({ ...eager, backoff: [300] }, 2);
      const seeded = new Seeded(seed);
      const random = (below: number) => seeded.below(below);
      const isDead = [true, false, true, false, false];
      const order = noteDeliveries(({ destination }) => {
        const n = Number(/d(\d)/.exec(destination)?.[1]);
        return isDead[n] === true || random(20) === 0 ? failed : delivered;
      });
      const count = 6000;
      const calls = Array.from({ length: count }, (_, i) => {
        const n = random(3) === 0 ? random(5) : 2 * random(2);
        const key = random(4) === 0 ? null : `k${random(30)}`;
        return { i, key, n };
      });
      for (let at = 0; at < count; at += 1000) {
        await lab.append(
          ...calls.slice(at, at + 1000).map(({ i, key, n }) => lab.call(`${i}`, key, `http://d${n}.example/`)),
        );
        for (let step = 0; step < 5; step += 1) {
          isDead[random(5)] = random(3) === 0;
          for (let turn = random(30); turn > 0; turn -= 1) {
            lab.clock.advance(random(60));
            await new Promise((resolve) => setImmediate(resolve));
          }
          if (random(3) > 0) continue;
          await (random(2) === 0 ? lab.kill() : lab.loseOwnership());
          await lab.join();
        }
      }
      isDead.fill(false);
      await lab.until('all are delivered', () => new Set(order).size === count, 100);
      const place = new Map(order.map((body, at) => [Number(body), at]));
      const last = new Map<string, number>();
      const overtaken: string[] = [];
      for (const { i, key, n } of calls) {
        if (key === null) continue;
        const before = last.get(`${n} ${key}`) ?? -1;
        const now = place.get(i) ?? -1;
        if (now < before) overtaken.push(`${i} of ${key} to ${n}`);
        last.set(`${n} ${key}`, Math.max(before, now));
      }
      expect(overtaken).toEqual([]);
      await lab.until('all is settled', () => lab.lag('orders') === 0n && lab.lag(overflow) === 0n, 100);
    },
  );
});
