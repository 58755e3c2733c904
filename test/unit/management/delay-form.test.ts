// What /delay says of groups that others have named.
import { expect, test } from 'vitest';
import { allTopics, eachTopic, treeOf, zabbixLines } from '#src/management/delay-form.js';

const rowOf = (group: string, topic: string, lag: bigint) => ({
  row: { group, topic, partition: 0, committed: 0n, highWatermark: lag, lag, drainSeconds: null },
  ageSeconds: null,
});

test('a group of several topics has the sum, or each topic apart', () => {
  const rows = [rowOf('G', 'a', 2n), rowOf('G', 'b', 3n)];
  expect(JSON.stringify(treeOf(['c'], allTopics('c', rows), false))).toBe('{"c":{"G":{"0":5}}}');
  expect(JSON.stringify(treeOf(['c'], eachTopic('c', rows), false))).toBe('{"c":{"G":{"a":{"0":2},"b":{"0":3}}}}');
  expect(rows[0]?.row.lag).toBe(2n);
});

test('a cluster without groups is there, and empty', () => {
  expect(JSON.stringify(treeOf(['c'], [], false))).toBe('{"c":{}}');
});

test('no name of a group changes anything but its own line', () => {
  const rows = [rowOf('__proto__', 'a', 7n), rowOf('x y\n- evil 1', 'a', 8n)];
  const figures = allTopics('c', rows);
  expect(JSON.stringify(treeOf(['c'], figures, false))).toContain('"__proto__":{"0":7}');
  expect(({} as Record<string, unknown>)['0']).toBeUndefined();
  const lines = figures.map((figure) => zabbixLines(figure, false)).join('');
  expect(lines).toBe('- c.__proto__.0.delay 7\n- "c.x y\\n- evil 1.0.delay" 8\n');
});
