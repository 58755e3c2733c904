// What nobody fetches: it waits in the log, takes no attempt, and is in nobody's way.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { calls, RunnerLab } from '../../support/runner-lab.js';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

test('a backlog that nobody fetches stays where it is, and is not copied to the overflow', async () => {
  const running = await lab.run({ isPulled: true, retries: 0 });
  await lab.append(...calls(3000, 'm'));
  await lab.pass(60_000, 1000);
  const { pull = 0, unread = 0, ...others } = lab.backlog(running);
  expect([pull + unread, others]).toEqual([3000, {}]);
  expect(pull).toBeGreaterThanOrEqual(1024);
  expect([lab.target.sent.length, lab.client.deadLetters]).toEqual([0, 0]);
  expect(lab.explain(running, 0)).toMatchObject({
    attempt: 1,
    destination: 'pull',
    waitingFor: [{ reason: 'pull', detail: 'nobody asks for messages', until: null }],
  });
});
