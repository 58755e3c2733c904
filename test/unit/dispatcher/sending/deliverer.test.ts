// Why a receiver may get a message another time: what each repeat says of itself.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GroupLog } from '../../../support/group-log.js';
import { busy, refused, timedOut } from '../../../support/outcomes.js';
import { call, RunnerLab } from '../../../support/runner-lab.js';
import { delivered, failed, rejected } from '../../../support/scripted-target.js';
import { until } from '../../../support/until.js';

let lab: RunnerLab;

beforeEach(async () => {
  lab = new RunnerLab();
  await lab.open();
});

afterEach(() => lab.close());

const said = () => lab.target.sent.map(({ body, attempt, redelivery }) => `${body}/${attempt}/${redelivery}`);

test('a repeat says how the attempt before it ended', async () => {
  await lab.run({ retries: 4, backoff: [100] });
  await lab.append(call('x'));
  for (const outcome of [timedOut, refused, failed, busy(503)]) {
    await lab.end('x', outcome);
    await lab.pass(100);
  }
  expect(said()).toEqual(['x/1/null', 'x/2/timeout', 'x/3/connection', 'x/4/status', 'x/5/status']);
});

test('the waits between the attempts are those of the list, the last one for all that follow', async () => {
  await lab.run({ retries: 4, backoff: [100, 300, 200] });
  lab.target.answer = () => failed;
  await lab.append(call('x'));
  await lab.pass(2000, 10);
  const times = lab.target.sent.map(({ atMs }) => atMs - 1_000_000);
  expect(times).toEqual([0, 100, 400, 600, 800]);
});

test('while it is not certain that a partition is ours nothing of it is sent; after that it goes on, and no attempt is used up', async () => {
  await lab.run({ retries: 0 });
  lab.isCertain = false;
  await lab.append(call('x'), call('y', undefined, 'k'));
  await lab.pass(2000, 100);
  expect(said()).toEqual([]);
  lab.isCertain = true;
  await lab.pass(200);
  expect(said()).toEqual(['x/1/null', 'y/1/null']);
});

test('after an end without a word every message that may have been sent says crash, and what was settled is not sent', async () => {
  const first = await lab.run();
  await lab.append(call('x'), call('y'), call('z'));
  await lab.end('y', delivered);
  await lab.pass(20);
  await first.membership.leave();
  await lab.run();
  await lab.begun(5);
  expect(said().slice(3)).toEqual(['x/1/crash', 'z/1/crash']);
});

test('a message that the one before could not have sent says nothing', async () => {
  const first = await lab.run();
  await lab.append(call('x'));
  await lab.end('x', delivered);
  await lab.pass(20);
  await first.membership.leave();
  await lab.run();
  // Stored after the start.
  await lab.pass(20);
  await lab.append(call('later'));
  await lab.begun(2);
  expect(said()).toEqual(['x/1/null', 'later/1/null']);
});

test('after drain what was tried and not settled says rebalance, what was not tried says nothing', async () => {
  const first = await lab.run({ concurrency: { min: 2, max: 2 } });
  await lab.append(call('x'), call('y'), call('z'));
  const drained = first.runner.drain();
  lab.target.end('x', delivered);
  lab.target.end('y', failed);
  await drained;
  await first.membership.leave();
  await lab.run();
  await lab.begun(4);
  expect(said().slice(2)).toEqual(['y/1/rebalance', 'z/1/null']);
});

test('after a revoke that had to stop an attempt the next owner’s repeat says rebalance', async () => {
  const first = await lab.run();
  await lab.append(call('x'));
  await lab.begun(1);
  // The hand-over waits for the attempt, at most for its timeout and a little more.
  const revoked = first.runner.revoked([{ topic: 'orders', partition: 0 }]);
  await until('the bound of the hand-over is set', () => lab.clock.pending > 0);
  await lab.pass(10_000, 1000);
  await revoked;
  expect(lab.target.inFlight).toEqual([]);
  await first.membership.leave();
  const log = new GroupLog();
  const look = await lab.broker.join('G', ['orders'], log);
  expect(log.assignments[0]?.start).toEqual({ offset: 0n, metadata: '2:r1:~0.0.0.0.0.0.0' });
  await look.leave();
  await lab.run();
  await lab.begun(2);
  expect(said()).toEqual(['x/1/null', 'x/1/rebalance']);
});

test('a retry that waits when its partition is taken away is not sent by the old owner', async () => {
  const first = await lab.run({ backoff: [1000] });
  await lab.append(call('x', 'http://a.example', 'k'), call('y', 'http://a.example', 'k'));
  await lab.end('x', failed);
  await first.runner.revoked([{ topic: 'orders', partition: 0 }]);
  await lab.pass(5000, 500);
  expect(said()).toEqual(['x/1/null']);
  expect(lab.backlog(first)).toEqual({});
});

test('a retry that waits when the process drains is forgotten: nothing pends, nothing is sent', async () => {
  const running = await lab.run({ backoff: [5000] });
  await lab.append(call('x'));
  await lab.end('x', failed);
  expect(lab.backlog(running)).toEqual({ retry: 1 });
  await running.runner.drain();
  expect(lab.clock.pending).toBe(0);
  await lab.pass(120_000, 10_000);
  expect(said()).toEqual(['x/1/null']);
});

test.each([failed, rejected])(
  'poison block: a key waits for its message that fails for good, tried on and on; others do not',
  async (outcome) => {
    const running = await lab.run({ poison: 'block', retries: 1, backoff: [1000] });
    let isWell = false;
    lab.target.answer = ({ source }) => (source.body.toString() === 'bad' && !isWell ? outcome : delivered);
    await lab.append(
      call('bad', 'http://a.example', 'k'),
      call('behind', 'http://a.example', 'k'),
      call('other', 'http://a.example', 'j'),
    );
    await lab.pass(10_000, 500);
    const bodies = () => lab.target.sent.map(({ body }) => body);
    expect(bodies()).toContain('other');
    expect(bodies()).not.toContain('behind');
    expect(bodies().filter((body) => body === 'bad').length).toBeGreaterThan(5);
    isWell = true;
    await lab.pass(2000, 500);
    expect(bodies().slice(-2)).toEqual(['bad', 'behind']);
    expect(lab.backlog(running)).toEqual({});
  },
);
