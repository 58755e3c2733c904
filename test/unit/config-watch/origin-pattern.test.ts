// Origins that a caller may call, as people write them.
import { expect, test } from 'vitest';
import { matchesOrigin, originPatternOf } from '#src/config-watch/origin-pattern.js';

const matches = (text: string, origin: string) => {
  const pattern = originPatternOf(text);
  if (pattern === null) throw new Error(`${text} is no pattern`);
  return matchesOrigin(pattern, origin);
};

test.each([
  ['https://api.example.com', 'https://api.example.com'],
  ['HTTPS://API.example.com/', 'https://api.example.com'],
  ['https://api.example.com:443', 'https://api.example.com'],
  ['https://api.example.com:8443', 'https://api.example.com:8443'],
  ['https://api.example.com:*', 'https://api.example.com:1'],
  ['https://*.example.com', 'https://a.b.example.com'],
  ['https://*', 'https://anywhere.org'],
  ['*://api.example.com', 'http://api.example.com:81'],
  ['*://api.example.com:80', 'http://api.example.com'],
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['http://2130706433', 'http://127.0.0.1'],
  ['http://[::1]:*', 'http://[::1]:8080'],
  ['grpc://*.example.com:50051', 'grpc://a.example.com:50051'],
  ['grpcs://a.example', 'grpcs://a.example'],
  ['*://10.0.0.7', 'grpc://10.0.0.7:50051'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
])('%s means %s', (text, origin) => {
  expect(matches(text, origin)).toBe(true);
});

test.each([
  ['https://api.example.com', 'http://api.example.com'],
  ['https://api.example.com', 'https://api.example.com:444'],
  ['https://api.example.com', 'https://api.example.com.'],
  ['https://*.example.com', 'https://example.com'],
  ['https://*.example.com', 'https://badexample.com'],
  ['https://*.example.com', 'https://a.example.com:8443'],
  ['https://*', 'https://anywhere.org:444'],
  ['https://*', 'http://anywhere.org'],
  ['https://*', 'grpcs://anywhere.org'],
  ['grpc://*:*', 'grpcs://anywhere.org'],
])('%s does not mean %s', (text, origin) => {
  expect(matches(text, origin)).toBe(false);
});

test.each<unknown>([
  '',
  '*',
  'example.com',
  'ftp://example.com',
  'https://',
  'https://example.com/path',
  'https://user@example.com',
  'https://a.*.com',
  'https://*example.com',
  'https://*.',
  'https://*.1.2.3',
  'https://example.com:0',
  'https://example.com:65536',
  'https://example.com:x',
  'https://exa mple.com',
  5,
  null,
])('%j is no pattern', (text) => {
  expect(originPatternOf(text)).toBeNull();
});
