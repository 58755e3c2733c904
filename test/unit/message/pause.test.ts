// Waiting that somebody may cut short, also before it has begun.
import { expect, test } from 'vitest';
import { pause } from '#src/message/clock.js';
import { FakeClock } from '../../support/fake-clock.js';

async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return over;
}

test('a pause ends with its time', async () => {
  const clock = new FakeClock(0);
  const waiting = pause(clock, 100);
  expect(await isOver(waiting)).toBe(false);
  clock.advance(100);
  expect(await isOver(waiting)).toBe(true);
});

test('a pause ends when its signal aborts', async () => {
  const stop = new AbortController();
  const waiting = pause(new FakeClock(0), 100, stop.signal);
  expect(await isOver(waiting)).toBe(false);
  stop.abort();
  expect(await isOver(waiting)).toBe(true);
});

// A partition that has been given back must not wait for a message of a delay topic that is read after it.
test('a pause whose signal has aborted before is over at once', async () => {
  expect(await isOver(pause(new FakeClock(0), 100, AbortSignal.abort()))).toBe(true);
});
