// Retention takes chunks in the order of their age, over all partitions, and never one that may not go.
import { expect, test } from 'vitest';
import { OldestFirst } from '#src/broker/drivers/embedded/oldest-first.js';

interface Partition {
  readonly name: string;
  readonly times: number[];
  oldest: { t: number } | undefined;
}

function partitionOf(name: string, times: readonly number[]): Partition {
  const [first] = times;
  return { name, times: [...times], oldest: first === undefined ? undefined : { t: first } };
}

/** All that goes, as `time name`. */
function takeAll(partitions: readonly Partition[], mayGo: (partition: Partition) => boolean): string[] {
  const order = new OldestFirst(partitions, mayGo);
  const taken: string[] = [];
  for (let next = order.next(); next !== undefined; next = order.next()) {
    taken.push(`${next.times.shift()} ${next.name}`);
    const [t] = next.times;
    next.oldest = t === undefined ? undefined : { t };
    order.back(next);
  }
  return taken;
}

test('the oldest of all partitions goes first, and of equals the first named', () => {
  const partitions = [partitionOf('a', [2, 5, 9]), partitionOf('empty', []), partitionOf('b', [1, 2, 8])];
  expect(takeAll(partitions, () => true)).toEqual(['1 b', '2 a', '2 b', '5 a', '8 b', '9 a']);
});

test('who may not go holds up nobody', () => {
  const partitions = [partitionOf('held', [1, 2]), partitionOf('b', [3, 30]), partitionOf('c', [4, 5])];
  const mayGo = ({ name, oldest }: Partition) => name !== 'held' && (oldest?.t ?? 0) < 10;
  expect(takeAll(partitions, mayGo)).toEqual(['3 b', '4 c', '5 c']);
});

test('whatever the chunks are, they go in the order of their age', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const partitions = Array.from({ length: 50 }, (_, i) =>
    partitionOf(
      `${i}`,
      Array.from({ length: random(20) }, () => random(1000)).sort((a, b) => a - b),
    ),
  );
  const all = partitions.flatMap(({ times }) => times).sort((a, b) => a - b);
  expect(takeAll(partitions, () => true).map((text) => Number(text.split(' ')[0]))).toEqual(all);
});
