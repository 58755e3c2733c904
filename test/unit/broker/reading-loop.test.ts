// Reading on, one step after another: to the end, after a failure again, and not any more once it is stopped.
import { expect, test } from 'vitest';
import { ReadingLoop } from '#src/broker/reading-loop.js';
import { FakeClock } from '../../support/fake-clock.js';
import { until } from '../../support/until.js';

function lab(step: (n: number) => boolean | Promise<boolean> = () => true) {
  const clock = new FakeClock();
  const state = { left: 0, taken: 0, failures: 0 };
  const loop = new ReadingLoop(clock, {
    hasMore: () => state.left > 0,
    step: async () => {
      const goesOn = await step(state.taken);
      state.left -= 1;
      state.taken += 1;
      return goesOn;
    },
    failed: () => {
      state.failures += 1;
    },
  });
  return { clock, state, loop };
}

test('it never begins on the stack of who wakes it, goes on to the end, and takes what comes behind the last step', async () => {
  const { state, loop } = lab();
  loop.wake();
  expect(loop.isRunning).toBe(false);
  state.left = 3;
  loop.wake();
  expect([state.taken, loop.isRunning]).toEqual([0, true]);
  await until('all is taken', () => state.taken === 3 && !loop.isRunning);
  state.left = 1;
  loop.wake();
  await until('the last as well', () => state.taken === 4);
});

test('others get their turns of the event loop while it goes on', async () => {
  const { state, loop } = lab();
  state.left = 1_000_000;
  loop.wake();
  await new Promise((resolve) => setImmediate(resolve));
  await loop.stop();
  expect(state.taken).toBeGreaterThan(0);
  expect(state.left).toBeGreaterThan(0);
});

test('what failed is tried again after a while, at once when the failure is forgotten, and nothing overtakes it', async () => {
  const broken = { is: true };
  const { clock, state, loop } = lab(() => {
    if (broken.is) throw new Error('no');
    return true;
  });
  state.left = 1;
  loop.wake();
  await until('it has failed', () => state.failures === 1 && clock.pending === 1);
  loop.wake();
  expect(loop.isRunning).toBe(false);
  clock.advance(1000);
  await until('it has failed again', () => state.failures === 2 && clock.pending === 1);
  broken.is = false;
  loop.forgetFailure();
  loop.wake();
  await until('it is taken', () => state.taken === 1);
  expect(clock.pending).toBe(0);
});

test('a stop waits for the step under way; when that fails nothing is tried again', async () => {
  let end: (error: Error) => void = () => undefined;
  const { clock, state, loop } = lab(
    () =>
      new Promise((_resolve, reject) => {
        end = reject;
      }),
  );
  state.left = 2;
  loop.wake();
  await until('it is under way', () => loop.isRunning);
  let stopped = false;
  const stopping = loop.stop().then(() => {
    stopped = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(stopped).toBe(false);
  end(new Error('no'));
  await stopping;
  loop.wake();
  expect([state.taken, state.failures, clock.pending, loop.isRunning]).toEqual([0, 1, 0, false]);
});
