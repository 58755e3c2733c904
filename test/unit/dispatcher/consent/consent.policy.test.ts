// Receivers that must agree first: nothing goes before, nothing is used up, they are asked again with growing pauses, and no more goes than they allow.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import { messageHeader } from '#src/message/message.js';
import { a, b, RunnerLab, type Running } from '../../../support/runner-lab.js';
import { consenting, delivered, failed, unconsenting } from '../../../support/scripted-target.js';
import { fixed, newSubscription, perSecond } from '../../../support/subscription.js';

const topic = 'orders';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
  lab.target.answer = () => delivered;
});

afterEach(() => lab.close());

const message = (body: string, key: string | null = null) => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-message-id': `id-${body}` },
});
const messages = (count: number) => Array.from({ length: count }, (_, i) => message(`m${i}`));

const run = (changes: Partial<SubscriptionSettings> = {}) =>
  lab.run({ url: `${a}/hook`, needsConsent: true, concurrency: fixed(100), ...changes });

const endpoints = (...origins: string[]) => origins.map((origin) => ({ url: `${origin}/`, weight: 1, warmupMs: null }));

async function answer(reply = consenting(), last = lab.target.asked.at(-1)): Promise<void> {
  last?.answer(reply);
  await lab.rest();
}

describe('one receiver', () => {
  test('is asked once, as the deliveries would go, and gets nothing before it agrees', async () => {
    const running = await run({ rate: perSecond(2), headers: [['authorization', 'Bearer x']] });
    await lab.append(...messages(3));
    expect(lab.target.sent).toEqual([]);
    expect(lab.target.asked.map(({ question }) => question)).toEqual([
      {
        url: { origin: a, path: '/hook' },
        origin: 'bus.example',
        perMinute: 120,
        headers: ['authorization', 'Bearer x'],
        timeoutMs: 1000,
      },
    ]);
    expect(lab.backlog(running)).toEqual({ consent: 3 });
    expect(lab.explain(running, 0).waitingFor[0]).toMatchObject({ reason: 'consent', until: null });
    await answer();
    expect(lab.target.sent.map(({ attempt }) => attempt)).toEqual([1, 1]);
    await lab.pass(1000, 100);
    expect(lab.target.begun).toEqual(['m0/1', 'm1/1', 'm2/1']);
    expect(lab.target.asked).toHaveLength(1);
  });

  test.each([
    ['refuses', unconsenting, 'it answered 200 without WebHook-Allowed-Origin'],
    ['is silent', { ...unconsenting, outcome: failed }, 'the receiver answered 500'],
  ])(
    'that %s is asked again with growing, bounded pauses, and its messages have used up no attempt',
    async (_what, reply, why) => {
      const running = await run({ retries: 0 });
      await lab.append(message('m'));
      const askedAtMs: number[] = [];
      for (let i = 0; i < 12; i += 1) {
        askedAtMs.push(lab.clock.elapsedMs());
        await answer(reply);
        expect(lab.explain(running, 0)).toMatchObject({
          state: 'waiting',
          attempt: 1,
          waitingFor: [
            { reason: 'consent', detail: expect.stringContaining(`no consent: ${why}`), until: expect.any(String) },
          ],
        });
        for (let passed = 0; lab.target.asked.length <= i + 1 && passed < 400; passed += 1) await lab.pass(1000, 250);
        expect(lab.target.asked).toHaveLength(i + 2);
      }
      const pauses = askedAtMs.slice(1).map((ms, i) => (ms - (askedAtMs[i] as number)) / 1000);
      pauses.forEach((seconds, i) => {
        const longest = Math.min(300, 2 ** i);
        expect(seconds).toBeGreaterThanOrEqual(longest / 2);
        // In steps of a second.
        expect(seconds).toBeLessThanOrEqual(longest + 1);
      });
      await answer();
      expect(lab.target.begun).toEqual(['m/1']);
      expect(lab.backlog(running)).toEqual({});
    },
  );

  test('gets no more than it allows, however much the subscription may send', async () => {
    const running = await run();
    await lab.append(...messages(10));
    await answer(consenting('60'));
    expect(lab.target.sent).toHaveLength(1);
    expect(lab.explain(running, 9).waitingFor[0]).toMatchObject({
      reason: 'rate',
      detail: expect.stringContaining('the receiver allows 60 a minute'),
    });
    await lab.pass(3000, 50);
    expect(lab.target.sent).toHaveLength(4);
  });

  test('whose allowance is above the limit gets no more than the limit', async () => {
    await run({ rate: perSecond(1, 1) });
    await lab.append(...messages(5));
    await answer(consenting('6000'));
    await lab.pass(2000, 100);
    expect(lab.target.sent).toHaveLength(3);
  });

  test('is asked anew before its consent runs out, and its word holds while it is silent', async () => {
    await run();
    await lab.append(message('1'));
    await answer();
    await lab.pass(95_000);
    await lab.append(message('2'));
    // In the last tenth: sent, and asked beside it.
    expect(lab.target.begun).toEqual(['1/1', '2/1']);
    expect(lab.target.asked).toHaveLength(2);
    await answer({ ...unconsenting, outcome: failed });
    await lab.append(message('3'));
    expect(lab.target.begun).toHaveLength(3);
    await lab.pass(6000);
    await lab.append(message('4'));
    expect(lab.target.begun).toHaveLength(3);
    await answer();
    expect(lab.target.begun).toHaveLength(4);
  });

  test('that says no as it is asked anew gets nothing more', async () => {
    await run();
    await lab.append(message('1'));
    await answer();
    await lab.pass(95_000);
    await lab.append(message('2'));
    await answer(unconsenting);
    await lab.append(message('3'));
    expect(lab.target.begun).toEqual(['1/1', '2/1']);
  });

  test('that is another destination of the subscription is not asked', async () => {
    await run();
    await lab.append({ ...message('other'), headers: { [messageHeader.url]: `${b}/` } });
    expect(lab.target.begun).toEqual(['other/1']);
    expect(lab.target.asked).toEqual([]);
  });

  test('is asked with the leave of all gates: not while it is paused by Retry-After or at its concurrency', async () => {
    await run({ destination: { rate: perSecond(0.1, 1), concurrency: null } });
    await lab.append(message('1'));
    await answer({ ...unconsenting, outcome: { ...failed, retryAfterMs: 60_000, status: 503 } as typeof failed });
    await lab.pass(30_000, 1000);
    expect(lab.target.asked).toHaveLength(1);
    await lab.pass(35_000, 1000);
    expect(lab.target.asked).toHaveLength(2);
    // The question was the one request in ten seconds that its limit allows.
    await answer();
    expect(lab.target.begun).toEqual([]);
    await lab.pass(11_000, 1000);
    expect(lab.target.begun).toEqual(['1/1']);
  });

  test('a drain in the middle of the question ends it, and the next one asks again', async () => {
    const { runner, membership } = await run();
    await lab.append(message('1'));
    await runner.drain();
    await membership.leave();
    await run();
    await lab.rest();
    expect(lab.target.asked).toHaveLength(2);
  });

  test('needs no consent once the settings say so', async () => {
    const { runner } = await run();
    await lab.append(message('1'));
    runner.adjust(newSubscription({ topic, groupId: 'G', url: `${a}/hook`, concurrency: fixed(100) }));
    await lab.rest();
    expect(lab.target.begun).toEqual(['1/1']);
  });
});

describe('a group', () => {
  const origins = () => lab.target.sent.map(({ origin }) => origin);
  const asked = (origin: string) => lab.target.asked.filter(({ question }) => question.url.origin === origin).at(-1);
  let running: Running;

  beforeEach(async () => {
    running = await run({ url: null, endpoints: endpoints(a, b), ordering: 'none' });
  });

  test('sends to those that agree, and to the others once they do', async () => {
    await lab.append(...messages(4));
    expect(origins()).toEqual([]);
    await answer(consenting(), asked(b));
    expect(origins()).toEqual([b, b, b, b]);
    await answer(unconsenting, asked(a));
    await lab.append(message('more'));
    expect(origins()).toEqual([b, b, b, b, b]);
    expect(running.runner.view.troubled()[0]?.states).toMatchObject([
      { state: 'no consent', reason: expect.stringContaining(`${a}/: it answered 200 without`) },
    ]);
    await lab.pass(1000);
    await lab.append(...messages(2));
    await answer(consenting(), asked(a));
    await lab.append(...messages(4));
    expect(new Set(origins().slice(-4))).toEqual(new Set([a, b]));
  });

  test('waits while none agrees, and says why', async () => {
    await lab.append(...messages(2));
    await answer(unconsenting, asked(a));
    await answer(unconsenting, asked(b));
    expect(lab.backlog(running)).toEqual({ consent: 2 });
    expect(lab.explain(running, 0).waitingFor[0]).toMatchObject({
      reason: 'consent',
      detail: expect.stringContaining('none of 2 endpoints takes it, the first says: no consent'),
    });
  });
});

test('of very many receivers only some are asked at the same moment, and all in the end', async () => {
  const many = Array.from({ length: 100 }, (_, i) => `http://r${i}.example`);
  await run({ url: null, endpoints: endpoints(...many), ordering: 'none' });
  await lab.append(message('1'));
  expect(lab.target.asked).toHaveLength(64);
  let answered = 0;
  while (answered < lab.target.asked.length) {
    await answer(unconsenting, lab.target.asked[answered]);
    answered += 1;
    expect(lab.target.asked.length - answered).toBeLessThanOrEqual(64);
  }
  expect(new Set(lab.target.asked.map(({ question }) => question.url.origin)).size).toBe(100);
});
