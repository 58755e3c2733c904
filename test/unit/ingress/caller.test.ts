// Who calls: Basic and Bearer with the same name and secret; and what is no such header.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { credentialsOf } from '#src/ingress/caller.js';
import { idempotencyKeyOf, onceKeyOf } from '#src/ingress/idempotency-key.js';

const names = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter((name) => !name.includes(':') && name.isWellFormed());
const secrets = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((secret) => secret.isWellFormed());

test('whatever they are, under both schemes, in both alphabets', () => {
  fc.assert(
    fc.property(
      names,
      secrets,
      fc.constantFrom('Basic', 'Bearer', 'bEARER'),
      fc.constantFrom('base64', 'base64url'),
      (name, secret, scheme, alphabet) => {
        const token = Buffer.from(`${name}:${secret}`).toString(alphabet as 'base64');
        expect(credentialsOf(`${scheme} ${token}`)).toEqual({ name, secret });
      },
    ),
  );
});

test.each([
  undefined,
  '',
  'Basic',
  'Basic ',
  'Basic !',
  'Basic eA==',
  'Digest eDp5',
  'Basic eDp5 eDp5',
  'eDp5',
  'Basic //86',
  `Basic ${'A'.repeat(9000)}`,
])('%j is none', (header) => {
  expect(credentialsOf(header)).toBeNull();
});

test.each([
  ['abc', 'abc'],
  ['"abc"', 'abc'],
  ['"a b"', 'a b'],
  ['a b', 'a b'],
  ['"a\\"b\\\\c"', 'a"b\\c'],
  ['x'.repeat(255), 'x'.repeat(255)],
])('the key %j', (text, key) => {
  expect(idempotencyKeyOf(text)).toBe(key);
});

test.each(['', '""', '"', '"a', 'a"', '"a\\x"', 'ä', '"ä"', ' a', 'x'.repeat(256)])('%j is no key', (text) => {
  expect(idempotencyKeyOf(text)).toBeNull();
});

test('what is asked is told apart whatever it is made of', () => {
  const of = (...asked: string[]) => onceKeyOf('name', 'key', asked).fingerprint.toString('hex');
  const all = [of(), of(''), of('', ''), of('a', 'b'), of('ab'), of('ab', ''), of('', 'ab'), of('b', 'a'), of('1:a')];
  expect(new Set(all).size).toBe(all.length);
  expect(onceKeyOf('a', 'b', []).key.equals(onceKeyOf('ab', '', []).key)).toBe(false);
});
