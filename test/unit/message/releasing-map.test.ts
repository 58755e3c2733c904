// What came and went is collected with the young: a Map of V8's would keep all of it until a full collection.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { OffsetTracker } from '#src/dispatcher/window/offset-tracker.js';
import { ReleasingMap } from '#src/message/releasing-map.js';
import { RunningAttempts } from '#src/target/running-attempts.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (how?: { type: 'minor' }) => void;

const bodyBytes = 8192;
const count = 2000;
const standing = 20;

/** Bytes that are kept of `count` bodies that came and went, `standing` of them at a time, without a full collection. */
function keptOf(come: (i: number, value: { body: Uint8Array }) => void, go: (i: number) => void): number {
  const pass = (from: number, to: number) => {
    for (let i = from; i < to; i += 1) {
      come(i, { body: new Uint8Array(bodyBytes) });
      if (i >= standing) go(i - standing);
      if (i % 100 === 0) collect({ type: 'minor' });
    }
  };
  pass(0, standing);
  // What stands here counts as old from now on.
  collect();
  const before = process.memoryUsage().arrayBuffers;
  pass(standing, count);
  // Twice: who has survived one is not young at the next.
  collect({ type: 'minor' });
  collect({ type: 'minor' });
  return process.memoryUsage().arrayBuffers - before;
}

const most = 4 * standing * bodyBytes;

describe('of what came and went no more is kept than a few', () => {
  test('a Map keeps it, which is why there is another', () => {
    const map = new Map<number, object>();
    const kept = keptOf(
      (i, value) => map.set(i, value),
      (i) => map.delete(i),
    );
    expect(kept).toBeGreaterThan((count * bodyBytes) / 4);
  });

  test('by the map', () => {
    const map = new ReleasingMap<number, object>();
    const kept = keptOf(
      (i, value) => map.set(i, value),
      (i) => map.delete(i),
    );
    expect(map.size).toBe(standing);
    expect(kept).toBeLessThan(most);
  });

  test('by one that is cleared', () => {
    const map = new ReleasingMap<number, object>();
    const kept = keptOf(
      (i, value) => map.set(i, value),
      () => {
        if (map.size > standing) map.clear();
      },
    );
    expect(map.size).toBeLessThanOrEqual(standing);
    expect(kept).toBeLessThan(most);
  });

  test('by the tracker of what is unsettled', () => {
    const tracker = new OffsetTracker<object>(0n, '', 0n);
    const kept = keptOf(
      (i, value) => {
        tracker.take(BigInt(i));
        tracker.keep(BigInt(i), value);
      },
      (i) => tracker.settle(BigInt(i)),
    );
    expect(tracker.open).toBe(standing);
    expect(kept).toBeLessThan(most);
  });

  test('by the attempts under one signal', () => {
    const { signal } = new AbortController();
    const running = new RunningAttempts();
    const started: number[] = [];
    const kept = keptOf(
      (i, value) => {
        started[i] = running.under(signal).begin({ ...value, abort: () => undefined });
      },
      (i) => running.under(signal).end(started[i] as number),
    );
    expect(kept).toBeLessThan(most);
  });
});

test('it is a map otherwise, in the order in which its keys came in', () => {
  const map = new ReleasingMap<string, number | undefined>();
  map.set('a', 1);
  map.set('b', undefined);
  map.set('c', 3);
  map.set('a', 4);
  expect([map.size, map.get('a'), map.get('b'), map.has('b'), map.get('d'), map.has('d')]).toEqual([
    3,
    4,
    undefined,
    true,
    undefined,
    false,
  ]);
  expect([...map.keys()]).toEqual(['a', 'b', 'c']);
  expect([...map.values()]).toEqual([4, undefined, 3]);
  expect([map.delete('a'), map.delete('a'), map.delete('b')]).toEqual([true, false, true]);
  expect([...map.entries()]).toEqual([['c', 3]]);
});
