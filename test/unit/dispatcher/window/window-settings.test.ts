// How much all windows of a subscription may keep in memory together.
import { expect, test } from 'vitest';
import { maxWeightOf } from '#src/dispatcher/window/window-settings.js';

const mib = 1_048_576;

test.each([
  [0, 4],
  [1, 4],
  [2, 4],
  [4, 2],
  [8, 1],
  [16, 1],
  [1024, 1],
])('of %i partitions each window has %i MiB', (partitions, weight) => {
  expect(maxWeightOf(partitions)).toBe(weight * mib);
});
