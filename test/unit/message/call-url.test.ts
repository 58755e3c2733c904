// Which URLs a call may name.
import { expect, test } from 'vitest';
import { parseCallUrl } from '#src/message/call-url.js';

test.each([
  ['http://a.example/x?y=1#z', 'http://a.example', '/x?y=1'],
  ['https://a.example:8443', 'https://a.example:8443', '/'],
  ['HTTP://A.Example:80/%20x', 'http://a.example', '/%20x'],
  ['http://[::1]:8080/', 'http://[::1]:8080', '/'],
  ['grpc://a.example:50051/pkg.v1.Service/Method', 'grpc://a.example:50051', '/pkg.v1.Service/Method'],
  ['GRPCS://A.Example:443/Service/Method', 'grpcs://a.example', '/Service/Method'],
  ['grpc://0x7f000001:80/a.B/C', 'grpc://127.0.0.1', '/a.B/C'],
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
  'grpc://a.example:1',
  'grpc://a.example:1/Service',
  'grpc://a.example:1/a.B/C/D',
  'grpc://a.example:1/a.B/C?x=1',
  'grpc://a.example:1/a.B/C#d',
  'grpc://a.example:1/a%2eB/C',
  'grpc://user@a.example:1/a.B/C',
  `http://a.example/${'x'.repeat(8192)}`,
])('%s is refused', (text) => {
  expect(parseCallUrl(text)).toBeNull();
});

test('thousands of distinct URLs leave the answers right', () => {
  for (let i = 0; i < 5000; i += 1) expect(parseCallUrl(`http://a.example/${i}`)?.path).toBe(`/${i}`);
});
