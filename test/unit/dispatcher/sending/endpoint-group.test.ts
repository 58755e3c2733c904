// A group of receivers: who gets what, what becomes of those that fail or go, and that a key keeps its order over all of them.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EndpointLine, type Queued, Turn } from '#src/dispatcher/sending/endpoint-line.js';
import { type Hashed, hashOf, KeyedChoice } from '#src/dispatcher/sending/keyed-choice.js';
import { a, b, RunnerLab, type Running } from '../../../support/runner-lab.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { fixed, newSubscription } from '../../../support/subscription.js';

const c = 'http://c.example';
const topic = 'orders';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

const endpoint = (origin: string, weight = 1, warmupMs: number | null = null) => ({
  url: `${origin}/`,
  weight,
  warmupMs,
});

const message = (body: string, key: string | null = null) => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-message-id': `id-${body}` },
});
const messages = (count: number, name = 'm') => Array.from({ length: count }, (_, i) => message(`${name}${i}`));

const origins = () => lab.target.sent.map(({ origin }) => origin);
const countOf = (origin: string) => origins().filter((one) => one === origin).length;

const changeTo = (running: Running, changes: object) =>
  running.runner.adjust(newSubscription({ topic, groupId: 'G', ...changes }));

describe('each message goes to one endpoint', () => {
  test('in turn, by weight, spread over the round', async () => {
    lab.target.answer = () => delivered;
    await lab.run({ endpoints: [endpoint(a), endpoint(b, 3)], concurrency: fixed(100) });
    await lab.append(...messages(8));
    expect([countOf(a), countOf(b)]).toEqual([2, 6]);
    expect(
      origins()
        .slice(0, 4)
        .filter((one) => one === a),
    ).toHaveLength(1);
  });

  test('the one with the least in flight', async () => {
    await lab.run({ endpoints: [endpoint(a), endpoint(b)], choice: 'least-in-flight', concurrency: fixed(100) });
    await lab.append(...messages(4));
    expect([countOf(a), countOf(b)]).toEqual([2, 2]);
    for (const { body, origin } of lab.target.sent) if (origin === b) await lab.end(body, delivered);
    await lab.append(...messages(2, 'n'));
    expect([countOf(a), countOf(b)]).toEqual([2, 4]);
  });

  test('always the same for a key, and a busy one holds nobody else', async () => {
    await lab.run({
      endpoints: [endpoint(a), endpoint(b)],
      choice: 'sticky',
      destination: { rate: null, concurrency: fixed(1) },
    });
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await lab.append(...keys.map((key) => message(key, key)));
    // One in flight at each, although the first in the queue may all be of one.
    expect([countOf(a), countOf(b)]).toEqual([1, 1]);
    while (lab.target.inFlight.length > 0) await lab.end(lab.target.inFlight[0]?.body as string, delivered);
    await lab.append(...keys.map((key) => message(`${key}'`, key)));
    while (lab.target.inFlight.length > 0) await lab.end(lab.target.inFlight[0]?.body as string, delivered);
    const seen = Map.groupBy(lab.target.sent, ({ body }) => body.replace("'", ''));
    for (const sent of seen.values()) expect(new Set(sent.map(({ origin }) => origin)).size).toBe(1);
    expect(countOf(a)).toBeGreaterThan(0);
    expect(countOf(b)).toBeGreaterThan(0);
  });

  test.each(['round-robin', 'least-in-flight', 'sticky'] as const)('%s: a key keeps its order', async (choice) => {
    await lab.run({ endpoints: [endpoint(a), endpoint(b), endpoint(c)], choice });
    await lab.append(...['1', '2', '3'].map((body) => message(body, 'k')));
    expect(lab.bodies()).toEqual(['1']);
    await lab.end('1', failed);
    await lab.pass(100);
    expect(lab.bodies()).toEqual(['1', '1']);
    for (const body of ['1', '2', '3']) await lab.end(body, delivered);
    expect(lab.bodies()).toEqual(['1', '1', '2', '3']);
  });
});

describe('a failed attempt', () => {
  test.each(['round-robin', 'least-in-flight', 'sticky'] as const)('%s: is retried elsewhere first', async (choice) => {
    await lab.run({ endpoints: [endpoint(a), endpoint(b)], choice, retries: 5 });
    await lab.append(message('1', 'k'));
    for (let i = 0; i < 3; i += 1) {
      await lab.end('1', failed);
      await lab.pass(1000);
    }
    const [first, second, third, fourth] = origins();
    expect(second).not.toBe(first);
    expect([third, fourth]).toEqual([first, second]);
  });

  test('comes back to the same one where there is no other', async () => {
    await lab.run({ endpoints: [endpoint(a)] });
    await lab.append(message('1'));
    await lab.end('1', failed);
    await lab.pass(100);
    expect(origins()).toEqual([a, a]);
  });
});

describe('an endpoint', () => {
  const circuit = { breakPeriodMs: 2000, recoverPeriodMs: 4000, windowSeconds: 10, minStats: 4, healthRate: 0.5 };

  test('that fails is set aside, and comes back by the ramp', async () => {
    let isWell = false;
    lab.target.answer = ({ url }) => (url.origin === a && !isWell ? failed : delivered);
    await lab.run({ endpoints: [endpoint(a), endpoint(b)], circuit, retries: 20 });
    for (let i = 0; i < 20; i += 1) {
      await lab.append(...messages(2, `m${i}-`));
      await lab.pass(50);
    }
    const whileSick = countOf(a);
    // Until its circuit opened, and a probe at most.
    expect(whileSick).toBeLessThan(9);
    isWell = true;
    await lab.pass(2000, 100);
    lab.target.sent.length = 0;
    const perStep: number[] = [];
    for (let i = 0; i < 60; i += 1) {
      const before = countOf(a);
      await lab.append(...messages(4, `n${i}-`));
      await lab.pass(100);
      perStep.push(countOf(a) - before);
    }
    const sumOf = (from: number, end: number) => perStep.slice(from, end).reduce((sum, one) => sum + one, 0);
    expect(sumOf(0, 10)).toBeLessThan(20);
    expect(sumOf(50, 60)).toBe(20);
    expect(new Set(lab.bodies()).size).toBe(240);
  });

  test('that goes while it has a delivery ends it; nothing more comes there', async () => {
    const running = await lab.run({ endpoints: [endpoint(a), endpoint(b)] });
    await lab.append(...messages(2));
    expect(origins()).toEqual([a, b]);
    expect(changeTo(running, { endpoints: [endpoint(b)] })).toBe(true);
    await lab.append(...messages(3, 'n'));
    expect(origins().slice(2)).toEqual([b, b, b]);
    await lab.end('m0', delivered);
    expect(lab.client.rpcSuccess).toBe(1);
    expect(lab.target.begun).toHaveLength(5);
  });

  test('that comes grows into its share over its own warm-up', async () => {
    lab.target.answer = () => delivered;
    const running = await lab.run({
      endpoints: [endpoint(a)],
      rate: { perSecond: 1000, burst: 200 },
      concurrency: fixed(500),
    });
    await lab.append(...messages(10));
    changeTo(running, { endpoints: [endpoint(a), endpoint(b, 1, 60_000)] });
    await lab.append(...messages(100, 'n'));
    expect(countOf(b)).toBeLessThan(20);
    expect(countOf(a) + countOf(b)).toBe(110);
  });

  test('that is missing holds what waits, which says why and goes once one is there', async () => {
    const running = await lab.run({ endpoints: [] });
    await lab.append(...messages(3));
    expect(lab.backlog(running)).toEqual({ 'no-endpoint': 3 });
    expect(lab.explain(running, 0).waitingFor[0]).toMatchObject({ reason: 'no-endpoint', until: null });
    changeTo(running, { endpoints: [endpoint(a)] });
    await lab.rest();
    expect(countOf(a)).toBe(3);
  });
});

describe('the choice', () => {
  const made = (names: readonly string[]): Hashed[] =>
    names.map((name) => ({ weight: 1, hash: hashOf(name), slot: -1 }));
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 30 });

  test('of a key changes only when its own endpoint goes, and comes back with it', () => {
    fc.assert(
      fc.property(names, fc.string({ minLength: 1 }), fc.nat(), (all, key, nth) => {
        const endpoints = made(all);
        const gone = endpoints[nth % endpoints.length] as Hashed;
        const choice = new KeyedChoice<Hashed>();
        for (const endpoint of endpoints) choice.add(endpoint);
        const before = choice.of(hashOf(key), null);
        expect(choice.of(hashOf(key), gone)).toBe(before === gone ? choice.of(hashOf(key), before) : before);
        const second = choice.of(hashOf(key), gone);
        choice.remove(gone);
        expect(choice.of(hashOf(key), null)).toBe(second);
        choice.add(gone);
        expect(choice.of(hashOf(key), null)).toBe(before);
      }),
    );
  });

  test('of many keys goes by weight', () => {
    const endpoints = made(['http://a/', 'http://b/', 'http://c/']);
    (endpoints[2] as { weight: number }).weight = 2;
    const choice = new KeyedChoice<Hashed>();
    for (const endpoint of endpoints) choice.add(endpoint);
    const counts = endpoints.map(() => 0);
    for (let i = 0; i < 20_000; i += 1) {
      const at = endpoints.indexOf(choice.of(hashOf(`key-${i}`), null) as Hashed);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    expect(counts.map((count) => Math.round(count / 1000))).toEqual([5, 5, 10]);
  });

  const queued = (weights: readonly number[]): Queued[] =>
    weights.map((weight, order) => ({ weight, order, inFlight: 0, turn: new Turn(), at: -1 }));
  const someWeights = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 });

  function chosen(line: EndpointLine<Queued>): Queued {
    const first = line.first as Queued;
    first.inFlight += 1;
    line.took(first);
    line.moved(first);
    return first;
  }

  test('in turn gives each its weight in every round', () => {
    fc.assert(
      fc.property(someWeights, (weights) => {
        const endpoints = queued(weights);
        const line = new EndpointLine<Queued>('round-robin');
        for (const endpoint of endpoints) line.add(endpoint);
        const round = weights.reduce((sum, weight) => sum + weight, 0);
        for (let i = 0; i < 3 * round; i += 1) chosen(line);
        expect(endpoints.map(({ inFlight }) => inFlight)).toEqual(weights.map((weight) => 3 * weight));
      }),
    );
  });

  test('in turn does not let those catch up who could not be chosen', () => {
    const [one, other] = queued([1, 1]) as [Queued, Queued];
    const line = new EndpointLine<Queued>('round-robin');
    line.add(one);
    line.add(other);
    line.remove(other);
    for (let i = 0; i < 50; i += 1) chosen(line);
    line.add(other);
    for (let i = 0; i < 20; i += 1) chosen(line);
    expect(other.inFlight).toBeLessThanOrEqual(11);
  });

  test('of the least in flight is what a look at all of them finds', () => {
    const step = fc.oneof(fc.constant('choose' as const), fc.nat());
    fc.assert(
      fc.property(someWeights, fc.array(step, { maxLength: 60 }), (weights, steps) => {
        const endpoints = queued(weights);
        const line = new EndpointLine<Queued>('least-in-flight');
        for (const endpoint of endpoints) line.add(endpoint);
        for (const one of steps) {
          const ended = one === 'choose' ? undefined : endpoints[one % endpoints.length];
          if (ended !== undefined && ended.inFlight > 0) {
            ended.inFlight -= 1;
            line.moved(ended);
          } else {
            const least = Math.min(...endpoints.map(({ inFlight, weight }) => (inFlight + 1) / weight));
            const best = line.first as Queued;
            expect((best.inFlight + 1) / best.weight).toBe(least);
            chosen(line);
          }
        }
      }),
    );
  });
});
