// Keys whose retries are far off wait on disk with all that comes for them; other keys of their destination go on.
import { afterEach, describe, expect, test } from 'vitest';
import { overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { Seeded } from '../../../support/seeded.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const url = 'http://a.example/';
const overflow = overflowTopic('orders', 'G');
const long = 120_000;
/** More of them with LONG_SEEDS. */
const seeds = Number(process.env['LONG_SEEDS'] ?? 6);
const eager = {
  rate: perSecond(1_000_000),
  concurrency: fixed(50),
  retries: 20,
  retryBudget: { share: 1, floorPerSecond: 1000 },
};

let lab: SpillLab;
afterEach(() => lab.close());

/** Bodies are 'key number …'; a key is sick while its name is in `sick`. Returns what was delivered, in the order of the first times. */
function answerBy(sick: ReadonlySet<string>): string[] {
  const order: string[] = [];
  const known = new Set<string>();
  lab.target.answer = ({ source }) => {
    const body = source.body.toString();
    if (sick.has(body.slice(0, body.indexOf(' ')))) return failed;
    if (!known.has(body)) order.push(body);
    known.add(body);
    return delivered;
  };
  return order;
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    lab.clock.advance(Math.min(left, 10_000));
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

const allSettled = () => lab.lag('orders') === 0n && lab.lag(overflow) === 0n;

test('thousands of keys that wait long hold up no other key of their receiver', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [long] });
  const startMs = lab.clock.now();
  const sick = new Set<string>();
  const order = answerBy(sick);
  const calls = 5000;
  for (let i = 0; i < calls; i += 1) if ((i * 0.618) % 1 < 0.4) sick.add(`k${i}`);
  const well = calls - sick.size;
  await lab.append(...Array.from({ length: calls }, (_, i) => lab.call(`k${i} 0`, `k${i}`, url)));
  await lab.until('the other keys have theirs', () => order.length === well);
  expect(lab.clock.now() - startMs).toBeLessThan(long / 10);
  const waiting = sick.size;
  sick.clear();
  await pass(startMs + long - lab.clock.now());
  await lab.until('the others have theirs', () => order.length === calls, 200);
  expect(order.slice(0, well).length + waiting).toBe(calls);
  expect(lab.clock.now() - startMs).toBeGreaterThan(long);
  expect(lab.clock.now() - startMs).toBeLessThan(1.1 * long);
  expect(new Set(order).size).toBe(calls);
  await lab.until('all is settled', allSettled);
});

test('what comes for such keys follows them in order, also through kills, and keys without trouble are served at once', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [long] });
  const sick = new Set(Array.from({ length: 1500 }, (_, i) => `s${i}`));
  const order = answerBy(sick);
  for (let round = 0; round < 3; round += 1) {
    const names = [...sick].flatMap((name, i) => [name, `w${i}`]);
    await lab.append(...names.map((name) => lab.call(`${name} ${round}`, name, url)));
    await lab.until('those that are well have theirs', () => order.length === 1500 * (round + 1));
    await lab.kill();
    await lab.join();
  }
  expect(order.every((body) => body.startsWith('w'))).toBe(true);
  sick.clear();
  await pass(long);
  await lab.until('all have theirs', () => order.length === 9000, 500);
  const rounds = new Map<string, string>();
  for (const body of order) {
    const [name = '', round = ''] = body.split(' ');
    rounds.set(name, (rounds.get(name) ?? '') + round);
  }
  expect([...new Set(rounds.values())]).toEqual(['012']);
  await lab.until('all is settled', allSettled);
});

describe('long and short retries, spilling, turning round and kills at any moment', () => {
  test.each(Array.from({ length: seeds }, (_, i) => i + 1))(
    'nothing is lost, no key is out of order, and who is well is not held (seed %i)',
    async (seed) => {
      lab = await SpillLab.start({ ...eager, retries: 1000, backoff: [300, long] }, 2);
      const seeded = new Seeded(seed);
      const random = (below: number) => seeded.below(below);
      const isDead = [false, false, false];
      const sick = new Set<string>();
      const order: string[] = [];
      const known = new Set<string>();
      lab.target.answer = ({ source, destination }) => {
        const body = source.body.toString();
        const [key = ''] = body.split(' ');
        const n = Number(/d(\d)/.exec(destination)?.[1]);
        if (isDead[n] === true || sick.has(key)) return failed;
        if (!known.has(body)) order.push(body);
        known.add(body);
        return delivered;
      };
      const keys = 400;
      for (let k = 0; k < keys; k += 1) if (random(2) === 0) sick.add(`k${k}`);
      const next = new Map<string, number>();
      const count = 5000;
      for (let at = 0; at < count; at += 1000) {
        const calls = Array.from({ length: 1000 }, () => {
          const [key, n] = [`k${random(keys)}`, random(3)];
          const number = next.get(`${key} ${n}`) ?? 0;
          next.set(`${key} ${n}`, number + 1);
          return lab.call(`${key} ${n} ${number}`, key, `http://d${n}.example/`);
        });
        await lab.append(...calls);
        for (let step = 0; step < 4; step += 1) {
          isDead[random(3)] = random(4) === 0;
          for (let turn = random(30); turn > 0; turn -= 1) {
            lab.clock.advance(random(8) === 0 ? random(long / 4) : random(60));
            await new Promise((resolve) => setImmediate(resolve));
          }
          if (random(3) > 0) continue;
          await (random(2) === 0 ? lab.kill() : lab.loseOwnership());
          await lab.join();
        }
      }
      isDead.fill(false);
      const ofWell = [...next].filter(([name]) => !sick.has(name.slice(0, name.indexOf(' '))));
      const wanted = ofWell.reduce((sum, [, calls]) => sum + calls, 0);
      const isOfWell = (body: string) => !sick.has(body.slice(0, body.indexOf(' ')));
      // Of a dead receiver they wait long too.
      await pass(2 * long);
      await lab.until('who is well has all', () => order.filter(isOfWell).length === wanted, 200);
      sick.clear();
      await pass(2 * long);
      await lab.until('all are delivered', () => order.length === count, 1000);
      const last = new Map<string, number>();
      const overtaken: string[] = [];
      for (const body of order) {
        const [key, n, number] = body.split(' ');
        if (Number(number) < (last.get(`${key} ${n}`) ?? -1)) overtaken.push(body);
        last.set(`${key} ${n}`, Number(number));
      }
      expect(overtaken).toEqual([]);
      await lab.until('all is settled', allSettled, 200);
    },
  );
});
