// What stays known, and what bounds it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecentMap } from '#src/message/recent-map.js';

const most = 8;

describe('what was found out lately', () => {
  test('the last keys that were asked for are known, and never more than twice as many are kept', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 300, size: 'max' }), (keys) => {
        const map = new RecentMap<number, string>(most);
        const asked: number[] = [];
        for (const key of keys) {
          const lately = new Set(asked.slice(-most));
          const known = map.get(key);
          if (lately.has(key)) expect(known).toBe(`of ${key}`);
          if (known === undefined) map.set(key, `of ${key}`);
          asked.push(key);
          expect(map.size).toBeLessThanOrEqual(2 * most);
        }
      }),
    );
  });

  test('as many keys as it is made for are found out once, in whatever turns they are asked for', () => {
    const map = new RecentMap<number, null>(most);
    let found = 0;
    for (let round = 0; round < 10; round += 1) {
      for (let key = 0; key < most; key += 1) {
        if (map.get(key) !== undefined) continue;
        found += 1;
        map.set(key, null);
      }
    }
    expect(found).toBe(most);
  });

  test('heavy keys leave earlier', () => {
    const map = new RecentMap<string, number>(1000, 100, (key) => key.length);
    for (let i = 0; i < 1000; i += 1) {
      map.set(`${i}`.padEnd(50), i);
      expect(map.size).toBeLessThanOrEqual(4);
    }
    expect(map.get('999'.padEnd(50))).toBe(999);
  });

  test('nothing is known once it is cleared', () => {
    const map = new RecentMap<string, number>(2);
    for (const key of ['a', 'b', 'c']) map.set(key, 1);
    map.clear();
    expect([map.get('a'), map.get('c'), map.size]).toEqual([undefined, undefined, 0]);
  });
});
