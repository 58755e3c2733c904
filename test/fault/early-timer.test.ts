// Node's timers may fire a moment before their time; the clock's must not.
import { expect, test } from 'vitest';
import { SystemClock } from '#src/message/clock.js';
import { until } from '../support/until.js';

// Node compares times cut to whole milliseconds. The end of a circuit's recovering was asked for too early, found not to
// have come, and never asked for again: no line `circuit closed` in the log until something was sent.
test('a timer of the clock never fires before its time', async () => {
  const clock = new SystemClock();
  const earlyMs: number[] = [];
  let fired = 0;
  const count = 600;
  for (let i = 0; i < count; i += 1) {
    // Set at many different parts of a millisecond.
    const startMs = clock.elapsedMs();
    while (clock.elapsedMs() < startMs + 0.13);
    const dueMs = clock.elapsedMs() + 20 + (i % 40);
    clock.setTimer(dueMs - clock.elapsedMs(), () => {
      fired += 1;
      if (clock.elapsedMs() < dueMs) earlyMs.push(dueMs - clock.elapsedMs());
    });
    // In turns, so that each fires close to its time.
    if (i % 4 === 0) await new Promise(setImmediate);
  }
  await until('all have fired', () => fired === count);
  expect(earlyMs).toEqual([]);
});
