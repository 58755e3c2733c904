// A secret in a configuration: what is a hash, what is a text, and what is a mistake.
import { expect, test } from 'vitest';
import { secretFormOf } from '#src/config-watch/secret-form.js';

const digest = 'AB'.repeat(32);

test('a text is itself; hashes are told by how they begin', () => {
  expect(secretFormOf('i am good')).toEqual({ kind: 'plain', text: 'i am good' });
  expect(secretFormOf(`sha256:${digest}`)).toEqual({ kind: 'sha256', hashHex: digest.toLowerCase() });
  expect(secretFormOf(`scrypt:16384:8:1:${'0'.repeat(32)}:${digest}`)).toMatchObject({ kind: 'scrypt', cost: 16_384 });
});

test.each<unknown>([
  '',
  5,
  null,
  'sha256:',
  'sha256:abc',
  `sha256:${digest}00`,
  `sha256:${'zz'.repeat(32)}`,
  'scrypt:',
  `scrypt:16384:8:1:${digest}`,
  `scrypt:16385:8:1:${digest}:${digest}`,
  `scrypt:1:8:1:${digest}:${digest}`,
  `scrypt:-2:8:1:${digest}:${digest}`,
  `scrypt:16384:8:17:${digest}:${digest}`,
  `scrypt:1048576:8:1:${digest}:${digest}`,
  `scrypt:16384:8:1:${digest}:${digest}:00`,
  `scrypt:16384:8:1:00:${digest}`,
  `scrypt:16384:8:1:${digest}:00`,
])('%j is none', (text) => {
  expect(secretFormOf(text)).toBeNull();
});
