// Origins as people write them in a configuration.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { originOf } from '#src/config-watch/origin.js';

test.each([
  ['http://a.example', 'http://a.example'],
  ['http://a.example/', 'http://a.example'],
  ['HTTP://A.Example', 'http://a.example'],
  ['http://a.example:80', 'http://a.example'],
  ['https://a.example:443', 'https://a.example'],
  ['https://a.example:80', 'https://a.example:80'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['http://[::1]:8080', 'http://[::1]:8080'],
  ['GRPC://A.example:50051', 'grpc://a.example:50051'],
  ['grpcs://a.example:443/', 'grpcs://a.example'],
])('%s is the origin %s', (text, origin) => {
  expect(originOf(text)).toBe(origin);
});

test.each<unknown>([
  '',
  'a.example',
  'ftp://a.example',
  'http://',
  'http:///',
  'http://a.example/path',
  'grpc://a.example:50051/a.B/C',
  'http://a.example//',
  'http://a.example?x',
  'http://a.example#x',
  'http://user@a.example',
  'http://user:pass@a.example',
  'http://a.example:99999',
  'http://a b',
  ' http://a.example',
  'http://a.example\n',
  null,
  undefined,
  5,
  ['http://a.example'],
])('%j is none', (value) => {
  expect(originOf(value)).toBeNull();
});

test('an origin with a path behind a backslash is none', () => {
  expect(originOf('http://a.example\\path')).toBeNull();
});

test('is what the URL of a call has, and is its own origin', () => {
  fc.assert(
    fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
      const { origin } = new URL(url);
      expect(originOf(origin)).toBe(origin);
    }),
  );
});
