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

const asker = {
  commitInTurn: (window: string) => {
    committed.push(window);
  },
};

function ask(count: number, name: string) {
  for (let i = 0; i < count; i += 1) moments.ask(asker, `${name} ${i}`);
}

test('what is asked for within 20 ms is committed together, and nothing happens in between', () => {
  ask(2, 'first');
  clock.advance(momentMs / 2);
  ask(2, 'second');
  ask(2, 'first');
  expect(committed).toEqual([]);
  clock.advance(momentMs / 2);
  expect(committed).toEqual(['first 0', 'first 1', 'second 0', 'second 1']);
  expect(clock.pending).toBe(0);
});

test('32 are committed at once; of more eight at a time, those first that have waited longest, until few wait', () => {
  ask(32, 'few');
  clock.advance(momentMs);
  expect(committed).toHaveLength(32);
  committed = [];
  ask(41, 'early');
  clock.advance(momentMs);
  expect(committed).toEqual(Array.from({ length: 8 }, (_, i) => `early ${i}`));
  moments.ask(asker, 'early 0');
  ask(1, 'late');
  clock.advance(momentMs);
  clock.advance(momentMs);
  const rest = Array.from({ length: 33 }, (_, i) => `early ${8 + i}`);
  expect(committed.slice(8)).toEqual([...rest, 'early 0', 'late 0']);
  expect(clock.pending).toBe(0);
});

test('of ten thousand each has its turn within half a second', () => {
  ask(10_000, 'window');
  clock.advance(momentMs);
  expect(committed).toHaveLength(417);
  // What settles meanwhile does not put the others off.
  for (let passedMs = momentMs; passedMs < 480; passedMs += momentMs) {
    moments.ask(asker, 'window 0');
    clock.advance(momentMs);
  }
  expect(new Set(committed).size).toBe(10_000);
  clock.advance(momentMs);
  expect(clock.pending).toBe(0);
});

test('nothing of one that has stopped is committed', () => {
  const stopped = { commitInTurn: () => expect.unreachable('it has stopped') };
  moments.ask(stopped, 'stopped');
  ask(1, 'other');
  moments.forget(stopped);
  clock.advance(10 * momentMs);
  expect(committed).toEqual(['other 0']);
  moments.ask(stopped, 'stopped');
  moments.forget(stopped);
  expect(clock.pending).toBe(0);
});
