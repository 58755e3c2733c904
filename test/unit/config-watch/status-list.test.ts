// Lists of statuses as people write them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { statusesOf } from '#src/config-watch/status-list.js';

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test.each<[unknown[], number[]]>([
  [[], []],
  [[200], [200]],
  [
    [200, 599],
    [200, 599],
  ],
  [['5xx'], range(500, 599)],
  [['2XX'], range(200, 299)],
  [['500-504'], range(500, 504)],
  [['429-429'], [429]],
  [
    [404, '400-404', 404],
    [404, ...range(400, 403)],
  ],
])('%j names its statuses, each once', (list, statuses) => {
  expect([...(statusesOf(list) ?? [])]).toEqual(statuses);
});

test.each<unknown>([
  199,
  600,
  100,
  0,
  -200,
  200.5,
  Number.NaN,
  '200',
  '1xx',
  '6xx',
  '5x',
  'xx',
  '5xxx',
  ' 5xx',
  '504-500',
  '100-200',
  '500-600',
  '500-',
  '500-504-505',
  '',
  null,
  true,
  {},
  ['5'],
])('one wrong entry spoils the list: %j', (entry) => {
  expect(statusesOf([200, entry])).toBeNull();
});

test.each<[unknown]>([[['5xx']], [['500-504']]])('a list in a list is no status: %j', (entry) => {
  expect(statusesOf([entry])).toBeNull();
});

test('a range holds what lies between its ends and nothing else', () => {
  const aStatus = fc.integer({ min: 200, max: 599 });
  fc.assert(
    fc.property(aStatus, aStatus, aStatus, (a, b, status) => {
      const [first, last] = [Math.min(a, b), Math.max(a, b)];
      expect(statusesOf([`${first}-${last}`])?.has(status)).toBe(status >= first && status <= last);
    }),
  );
});
