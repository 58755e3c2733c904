// What the commands print: nothing that others wrote steers a terminal.
import { expect, test } from 'vitest';
import { barOf, bodyText, plain, tableOf } from '#src/cli/lines.js';

test('columns are as wide as their widest cell, numbers stand to the right', () => {
  const rows = [
    ['a', 5],
    ['longer', 1234],
  ];
  expect(tableOf(['NAME', 'N'], rows)).toEqual(['NAME       N', 'a          5', 'longer  1234']);
  expect(tableOf(['NAME', 'N'], [])).toEqual(['NAME  N']);
});

test.each([
  ['\u001b[31mred\u001b[0m', 'red'],
  ['a\nb\r\u0007', 'a\\x0ab\\x0d\\x07'],
  ['\u001b]0;title\u0007x', 'x'],
  ['\u009b31m', ''],
  ['中文 ok', '中文 ok'],
])('%j is shown as %j', (text, shown) => {
  expect(plain(text)).toBe(shown);
});

test('a body is text where it is text', () => {
  const base64 = (bytes: string | Buffer) => Buffer.from(bytes as string).toString('base64');
  expect(bodyText(base64('héllo'), 10)).toBe('héllo');
  expect(bodyText(base64('x'.repeat(20)), 10)).toBe(`${'x'.repeat(10)}... (20 bytes)`);
  expect(bodyText(base64(Buffer.from([0xff, 0x00])), 10)).toBe('(2 bytes that are no text)');
});

test.each([
  [0, 10, '..............................', 0],
  [5, 10, '###############...............', 50],
  [20, 10, '##############################', 100],
  [0, 0, '##############################', 100],
])('%d of %d', (done, total, bar, percent) => {
  expect(barOf(done, total, 'x')).toBe(`[${bar}] ${percent} %  x`);
});
