// From counters to rates.
import { expect, test } from 'vitest';
import { Rates } from '#src/console/rates.js';

test('a rate is over the time between two looks; what is new, gone for a look, or begun again has none', () => {
  const rates = new Rates(0);
  const look = (atMs: number, values: Record<string, number>) => {
    rates.begin(atMs);
    const found = Object.entries(values).map(([name, value]) => rates.of(name, value));
    rates.end();
    return found;
  };
  expect(look(1000, { a: 10 })).toEqual([0]);
  expect(look(3000, { a: 30, b: 5 })).toEqual([10, 0]);
  expect(look(4000, { a: 3 })).toEqual([0]);
  expect(look(4000, { a: 9 })).toEqual([0]);
  expect(look(5000, { a: 9, b: 50 })).toEqual([0, 0]);
});
