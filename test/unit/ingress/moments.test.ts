// When a message is due and until when it is worth sending, in all the ways that callers write it.
import { describe, expect, test } from 'vitest';
import { durationOf, longestDelayMs, momentOf, timesOf } from '#src/ingress/moments.js';

const nowMs = Date.UTC(2026, 10, 21, 12);

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['1.5s', 1500],
  ['250ms', 250],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['7D', 604_800_000],
  ['366d', longestDelayMs],
  ['0', 0],
  ['PT90S', 90_000],
  ['PT1M30S', 90_000],
  ['P1DT2H3M4.5S', 93_784_500],
  ['pt1h', 3_600_000],
  [90, 90_000],
  [1.5, 1500],
])('the duration %j', (text, ms) => {
  expect(durationOf(text)).toBe(ms);
});

test.each([
  '',
  's',
  '-1',
  '1 s',
  '1e3',
  '90x',
  'P',
  'PT',
  'P1',
  'PT1',
  'P1Y',
  'P1M',
  'PT1D',
  '367d',
  '99999999999',
  -1,
  Number.NaN,
  true,
  null,
  {},
  [],
])('%j is no duration', (text) => {
  expect(durationOf(text)).toBeNull();
});

test.each([
  ['2026-12-24T18:30:00Z', Date.UTC(2026, 11, 24, 18, 30)],
  ['2026-12-24T18:30:00.250+01:00', Date.UTC(2026, 11, 24, 17, 30, 0, 250)],
  ['2026-12-24 18:30:00Z', Date.UTC(2026, 11, 24, 18, 30)],
  ['2020-02-29T00:00:00Z', Date.UTC(2020, 1, 29)],
  ['1795000000', 1_795_000_000_000],
  ['1795000000.5', 1_795_000_000_500],
  [1_795_000_000, 1_795_000_000_000],
])('the moment %j', (text, ms) => {
  expect(momentOf(text, nowMs)).toBe(ms);
});

test.each([
  '',
  'now',
  '2026-12-24',
  '2026-12-24T18:30:00',
  '2026-13-01T00:00:00Z',
  '2027-02-29T00:00:00Z',
  '2026-12-24T25:00:00Z',
  '2029-01-01T00:00:00Z',
  '90',
  999_999_999,
  '99999999999',
  true,
  {},
])('%j is no moment', (text) => {
  expect(momentOf(text, nowMs)).toBeNull();
});

describe('together', () => {
  const times = (written: { delay?: unknown; not_before?: unknown; expires?: unknown }) => {
    const faults: string[] = [];
    const { delay, not_before, expires } = written;
    const read = timesOf({ delay, not_before, expires }, nowMs, (field) => faults.push(field));
    return { ...read, faults };
  };

  test('none', () => {
    expect(times({})).toEqual({ notBeforeMs: 0, expiresMs: 0, faults: [] });
  });

  test('a moment gone by is now; one to come is kept', () => {
    expect(times({ not_before: '2020-01-01T00:00:00Z' })).toEqual({ notBeforeMs: 0, expiresMs: 0, faults: [] });
    expect(times({ delay: 5, expires: '10s' })).toEqual({
      notBeforeMs: nowMs + 5000,
      expiresMs: nowMs + 10_000,
      faults: [],
    });
  });

  test.each([
    [{ delay: 5, not_before: '2026-12-01T00:00:00Z' }, ['not_before']],
    [{ delay: 5, expires: 5 }, ['expires']],
    [{ expires: 0 }, ['expires']],
    [{ expires: '2020-01-01T00:00:00Z' }, ['expires']],
    [{ delay: 'x', not_before: 'y', expires: 'z' }, ['delay', 'not_before', 'expires']],
  ])('%j is wrong', (written, faults) => {
    expect(times(written).faults).toEqual(faults);
  });
});
