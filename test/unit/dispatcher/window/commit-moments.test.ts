// Windows are committed together every 20 ms: all of a few, and of many some, so that each has its turn within half a second.
import { beforeEach, expect, test } from 'vitest';
import { CommitMoments } from '#src/dispatcher/window/commit-moments.js';
import { FakeClock } from '../../../support/fake-clock.js';

const momentMs = 20;

let clock: FakeClock;
let moments: CommitMoments<string>;
let committed: string[];

beforeEach(() => {
  clock = new FakeClock();
  moments = new CommitMoments(clock);
  committed = [];
});

/** Of a subscription with so many windows in which something has settled. */
function askerOf(count: number, name = 'window') {
  const dirty = new Set(Array.from({ length: count }, (_, i) => `${name} ${i}`));
  return {
    windows: dirty,
    dirty: () => dirty,
    commitInTurn: (window: string) => {
      dirty.delete(window);
      committed.push(window);
    },
  };
}

test('what is asked for within 20 ms is committed together, and nothing happens in between', () => {
  moments.ask(askerOf(2, 'first'));
  clock.advance(momentMs / 2);
  moments.ask(askerOf(2, 'second'));
  expect(committed).toEqual([]);
  clock.advance(momentMs / 2);
  expect(committed).toEqual(['first 0', 'first 1', 'second 0', 'second 1']);
  expect(clock.pending).toBe(0);
});

test('of more than fit into a moment those go first that have waited longest', () => {
  const early = askerOf(40, 'early');
  moments.ask(early);
  clock.advance(momentMs);
  expect(committed).toEqual(Array.from({ length: 32 }, (_, i) => `early ${i}`));
  early.windows.add('early 0');
  moments.ask(early);
  moments.ask(askerOf(1, 'late'));
  clock.advance(momentMs);
  expect(committed.slice(32)).toEqual([...Array.from({ length: 8 }, (_, i) => `early ${32 + i}`), 'early 0', 'late 0']);
  expect(clock.pending).toBe(0);
});

test('of ten thousand each has its turn within half a second', () => {
  const askers = Array.from({ length: 100 }, (_, i) => askerOf(100, `${i}`));
  for (const asker of askers) moments.ask(asker);
  clock.advance(momentMs);
  expect(committed).toHaveLength(417);
  // What settles meanwhile does not put the others off.
  const again = askers[0] as (typeof askers)[number];
  for (let passedMs = momentMs; passedMs < 480; passedMs += momentMs) {
    again.windows.add('0 0');
    moments.ask(again);
    clock.advance(momentMs);
  }
  expect(new Set(committed).size).toBe(10_000);
  clock.advance(momentMs);
  expect(clock.pending).toBe(0);
});

test('nothing of one that has stopped is committed, neither what waits nor what it still has', () => {
  const stopped = askerOf(40, 'stopped');
  moments.ask(stopped);
  clock.advance(momentMs);
  moments.ask(stopped);
  moments.ask(askerOf(1, 'other'));
  committed = [];
  moments.forget(stopped);
  clock.advance(10 * momentMs);
  expect(committed).toEqual(['other 0']);
  moments.ask(stopped);
  moments.forget(stopped);
  expect(clock.pending).toBe(0);
});
