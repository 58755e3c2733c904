// Depth is told as a parser would find it, whatever stands in the texts.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTooDeep, maxJsonDepth } from '#src/ingress/json-depth.js';

const nested = (levels: number, inside = '1') => `${'['.repeat(levels)}${inside}${']'.repeat(levels)}`;
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

test('the bound is the last level that is taken', () => {
  expect(isTooDeep(Buffer.from(nested(maxJsonDepth)))).toBe(false);
  expect(isTooDeep(Buffer.from(nested(maxJsonDepth + 1)))).toBe(true);
  expect(isTooDeep(Buffer.from(`{"a":${nested(maxJsonDepth)}}`))).toBe(true);
  expect(isTooDeep(Buffer.from('{"a":'.repeat(10_000)))).toBe(true);
  expect(isTooDeep(Buffer.from('[]'.repeat(10_000)))).toBe(false);
});

test.each([0, 1, 40, 47, 48, 49, 60, 200])(
  'brackets in a text are none, behind %i characters and escapes',
  (length) => {
    for (const end of ['', '\\\\', '\\"', '\\\\\\"', '\\\\\\\\', '\\u005c']) {
      const text = `"${'x'.repeat(length)}${end}${'['.repeat(500)}"`;
      expect(isTooDeep(Buffer.from(`{"a":${text}}`))).toBe(false);
      expect(isTooDeep(Buffer.from(`{"a":${text},"b":${nested(maxJsonDepth, text)}}`))).toBe(true);
      const closed = `"${'x'.repeat(length)}${end}"`;
      expect(isTooDeep(Buffer.from(`[${closed},${nested(maxJsonDepth)}]`))).toBe(true);
    }
  },
);

test('any JSON is as deep as it is', () => {
  const value = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.string({ maxLength: 300 }), fc.nat(maxJsonDepth + 4));
  fc.assert(
    fc.property(value, ([inside, text, levels]) => {
      const json = nested(levels, JSON.stringify([inside, text, `${text}\\"[[`]));
      expect(isTooDeep(Buffer.from(json))).toBe(depthOf(JSON.parse(json)) > maxJsonDepth);
    }),
    { numRuns: 500 },
  );
});

test('what is no JSON is gone through to its end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(typeof isTooDeep(Buffer.from(bytes))).toBe('boolean');
    }),
  );
});
