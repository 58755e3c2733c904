// How often a message is tried, and what is no attempt.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { a, call, RunnerLab } from '../../support/runner-lab.js';
import { failed, rejected } from '../../support/scripted-target.js';
import { perSecond } from '../../support/subscription.js';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

const limited = (body: string, limit: number, key: string | null = null) => {
  const message = call(body, a, key);
  return { ...message, headers: { ...message.headers, 'bigpipe-deliver-limit': `${limit}` } };
};

const attempts = (body: string) => lab.target.sent.filter((sent) => sent.body === body).length;

/** Ends whatever is in flight so often, with time for each backoff. */
async function failAll(body: string, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await lab.begun(i + 1);
    await lab.end(body, failed);
    await lab.pass(10_000);
  }
}

test.each([1, 2, 3])('a caller’s limit of %i attempts is honoured', async (limit) => {
  const running = await lab.run({ retries: 5 });
  await lab.append(limited('x', limit));
  await lab.begun(1);
  expect(lab.explain(running, 0)).toMatchObject({ maxAttempts: limit });
  await failAll('x', limit);
  expect([attempts('x'), lab.client.deadLetters, lab.client.rpcFail]).toEqual([limit, 1, 1]);
});

test('a caller’s limit does not raise the subscription’s', async () => {
  await lab.run({ retries: 1 });
  await lab.append(limited('x', 100));
  await failAll('x', 2);
  expect([attempts('x'), lab.client.deadLetters]).toEqual([2, 1]);
});

test('a key that waits for its poison goes on once the caller’s limit is reached', async () => {
  await lab.run({ retries: 0, poison: 'block' });
  await lab.append(limited('x', 2, 'k'), call('y', a, 'k'));
  await lab.begun(1);
  await lab.end('x', failed);
  await lab.pass(10_000);
  await lab.begun(2);
  await lab.end('x', rejected);
  await lab.begun(3);
  expect([lab.bodies(), lab.client.deadLetters]).toEqual([['x', 'x', 'y'], 1]);
});

test('waiting for the rate uses up no attempt', async () => {
  await lab.run({ retries: 0, rate: perSecond(1, 1) });
  await lab.append(...Array.from({ length: 6 }, (_, i) => call(`m${i}`)));
  for (let i = 0; i < 6; i += 1) {
    await lab.begun(i + 1);
    await lab.pass(1000, 100);
  }
  expect(lab.target.sent.map(({ body, attempt, redelivery }) => [body, attempt, redelivery])).toEqual(
    Array.from({ length: 6 }, (_, i) => [`m${i}`, 1, null]),
  );
  expect(lab.client.deadLetters).toBe(0);
});
