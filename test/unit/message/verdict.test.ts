// What a status means: by default, and as a subscription lists it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultVerdicts, type StatusLists, type Verdict, Verdicts } from '#src/message/verdict.js';

const lists = (changes: Partial<Record<keyof StatusLists, number[]>>) => {
  const setOf = (list: number[] | undefined) => (list === undefined ? null : new Set(list));
  return new Verdicts({ success: setOf(changes.success), retry: setOf(changes.retry), reject: setOf(changes.reject) });
};

test.each<[number, Verdict]>([
  [200, 'delivered'],
  [204, 'delivered'],
  [299, 'delivered'],
  [300, 'rejected'],
  [301, 'rejected'],
  [304, 'rejected'],
  [400, 'rejected'],
  [404, 'rejected'],
  [408, 'retry'],
  [409, 'retry'],
  [410, 'rejected'],
  [425, 'retry'],
  [429, 'retry'],
  [431, 'rejected'],
  [499, 'rejected'],
  [500, 'retry'],
  [503, 'retry'],
  [599, 'retry'],
])('by default %d means %s', (status, verdict) => {
  expect(defaultVerdicts.of(status)).toBe(verdict);
});

describe('a list', () => {
  test('"exactly 200" is one setting away: everything else is retried', () => {
    const verdicts = lists({ success: [200], reject: [] });
    expect(verdicts.of(200)).toBe('delivered');
    for (const status of [201, 204, 301, 400, 404, 410, 429, 500, 503]) expect(verdicts.of(status)).toBe('retry');
  });

  test('of successes alone: another 2xx is retried, the rest stays as it is', () => {
    const verdicts = lists({ success: [200, 302] });
    expect([200, 201, 302, 301, 404, 500].map((status) => verdicts.of(status))).toEqual([
      'delivered',
      'retry',
      'delivered',
      'rejected',
      'rejected',
      'retry',
    ]);
  });

  test('of retries alone: another 5xx is rejected', () => {
    const verdicts = lists({ retry: [503, 404] });
    expect([503, 404, 500, 429, 200, 400].map((status) => verdicts.of(status))).toEqual([
      'retry',
      'retry',
      'rejected',
      'rejected',
      'delivered',
      'rejected',
    ]);
  });

  test('of rejects alone: another 4xx is retried', () => {
    const verdicts = lists({ reject: [410, 500] });
    expect([410, 500, 404, 302, 200, 503].map((status) => verdicts.of(status))).toEqual([
      'rejected',
      'rejected',
      'retry',
      'retry',
      'delivered',
      'retry',
    ]);
  });
});

test('whatever is listed: a listed status is what its list says, and one whose kind is not listed is what it always was', () => {
  const aStatus = fc.integer({ min: 200, max: 599 });
  const aList = fc.option(fc.uniqueArray(aStatus, { maxLength: 40 }), { nil: undefined });
  fc.assert(
    fc.property(aList, aList, aList, aStatus, (success, retry, reject, status) => {
      const found = lists({
        ...(success === undefined ? {} : { success }),
        ...(retry === undefined ? {} : { retry }),
        ...(reject === undefined ? {} : { reject }),
      }).of(status);
      if (reject?.includes(status)) expect(found).toBe('rejected');
      else if (retry?.includes(status)) expect(found).toBe('retry');
      else if (success?.includes(status)) expect(found).toBe('delivered');
      else {
        const usual = defaultVerdicts.of(status);
        const isListed = { delivered: success, retry, rejected: reject }[usual] !== undefined;
        expect(found).toBe(isListed ? (retry === undefined ? 'retry' : 'rejected') : usual);
        // Never taken for delivered by the lack of a list.
        if (usual !== 'delivered') expect(found).not.toBe('delivered');
      }
    }),
  );
});
