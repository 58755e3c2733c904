// What a receiver's Retry-After asks for, in all the forms it may come in.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { retryAfterMs } from '#src/target/http/retry-after.js';

const nowMs = Date.UTC(2026, 0, 31, 12, 0, 0);

test.each<[string | undefined, number | null]>([
  [undefined, null],
  ['', null],
  ['0', 0],
  ['5', 5000],
  [' 5 ', 5000],
  ['120', 120_000],
  ['9999999999', 9_999_999_999_000],
  ['99999999999', null],
  ['-5', null],
  ['+5', null],
  ['1.5', null],
  ['5s', null],
  ['0x10', null],
  ['1e3', null],
  ['soon', null],
  ['7, 9', 7000],
  [', 7', null],
  ['Sat, 31 Jan 2026 12:00:05 GMT, 9', 5000],
  ['Sat, 31 Jan 2026 12:00:05 GMT', 5000],
  ['Sat, 31 Jan 2026 11:59:00 GMT', 0],
  ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
  ['Sat, 31 Jan 2026 12:00:05', null],
  ['Sat, 31 Jan 2026 12:00:05 +0200', null],
  ['2026-01-31T12:00:05Z', null],
  ['Sat, 31 Foo 2026 12:00:05 GMT', null],
  ['Sat, 31 Jan 2026 99:00:05 GMT', null],
])('%j is %j ms', (header, expected) => {
  expect(retryAfterMs(header, nowMs)).toBe(expected);
});

test('a date that HTTP writes is as far away as it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), (seconds) => {
      const header = new Date(nowMs + seconds * 1000).toUTCString();
      expect(retryAfterMs(header, nowMs)).toBe(Math.max(0, seconds * 1000));
    }),
  );
});

test('whatever stands there: null, or a wait that is not negative', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      const waitMs = retryAfterMs(header, nowMs);
      if (waitMs !== null) expect(waitMs).toBeGreaterThanOrEqual(0);
    }),
  );
});
