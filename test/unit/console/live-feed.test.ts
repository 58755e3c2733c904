// How often the console looks: what a look costs stays a small part of the time, and a smaller one while nobody watches.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LiveFeed } from '#src/console/live-feed.js';
import type { Sample, Sampler } from '#src/console/sampler.js';
import { emptyCounts } from '#src/dispatcher/view/backlog.js';
import { FakeClock } from '../../support/fake-clock.js';

const lookMs = 30;
const watcher = { match: null, write: () => undefined, end: () => undefined };

/** Of a look that takes its time. */
class SlowClock extends FakeClock {
  spentMs = 0;

  override elapsedMs(): number {
    return super.elapsedMs() + this.spentMs;
  }
}

function lab() {
  const clock = new SlowClock();
  const none = { p50: null, p99: null };
  const rates = { arrivedPerSecond: 0, deliveredPerSecond: 0, failedPerSecond: 0 };
  const total = { ...rates, delivery: none, attempt: none, backlog: emptyCounts(), deadLetters: 0 };
  const state = { looks: 0 };
  const sample = async () => {
    state.looks += 1;
    clock.spentMs += lookMs;
    return { at: clock.now(), total } as Sample;
  };
  const feed = new LiveFeed({ sample } as unknown as Sampler, clock);
  feed.onApplicationBootstrap();
  /** What begins in that time ends in it. */
  const pass = async (ms: number) => {
    clock.advance(ms);
    await nextTurn();
  };
  return { clock, state, feed, pass };
}

test('while nobody watches looking takes a hundredth of the time, and a twentieth at most for those who do', async () => {
  const { clock, state, feed, pass } = lab();
  await pass(1000);
  expect(state.looks).toBe(1);
  await pass(100 * lookMs - 1);
  expect(state.looks).toBe(1);
  await pass(1);
  expect(state.looks).toBe(2);
  feed.watch(watcher);
  await pass(1000);
  expect(state.looks).toBe(3);
  await pass(1000);
  expect(state.looks).toBe(4);
  feed.onModuleDestroy();
  expect(clock.pending).toBe(0);
});

test('pages that come and go do not put off the next look', async () => {
  const { state, feed, pass } = lab();
  for (let passedMs = 0; passedMs < 1000; passedMs += 100) {
    feed.watch(watcher);
    feed.unwatch(watcher);
    await pass(100);
  }
  expect(state.looks).toBe(1);
});
