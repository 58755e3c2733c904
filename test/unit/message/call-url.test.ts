// Which URLs a call may name.
import { expect, test } from 'vitest';
import { parseCallUrl } from '#src/message/call-url.js';

test.each([
  ['http://a.example/x?y=1#z', 'http://a.example', '/x?y=1'],
  ['https://a.example:8443', 'https://a.example:8443', '/'],
  ['HTTP://A.Example:80/%20x', 'http://a.example', '/%20x'],
  ['http://[::1]:8080/', 'http://[::1]:8080', '/'],
])('%s is taken', (text, origin, path) => {
  expect(parseCallUrl(text)).toEqual({ origin, path });
});

test.each([
  '',
  '/relative',
  'ftp://a.example/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'http://user@a.example/',
  'http://user:secret@a.example/',
  'http://',
  'http://a b/',
  `http://a.example/${'x'.repeat(8192)}`,
])('%s is refused', (text) => {
  expect(parseCallUrl(text)).toBeNull();
});

test('thousands of distinct URLs leave the answers right', () => {
  for (let i = 0; i < 5000; i += 1) expect(parseCallUrl(`http://a.example/${i}`)?.path).toBe(`/${i}`);
});
