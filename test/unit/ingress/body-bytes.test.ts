// The bytes of small texts share slabs, and are never one another's.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf } from '#src/ingress/body-bytes.js';

test('any texts, of any length, keep their own bytes', () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    fc.string({ minLength: 3000, maxLength: 6000 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 60 }), (texts) => {
      const bytes = texts.map(bytesOf);
      bytes.forEach((kept, i) => {
        expect(kept.equals(Buffer.from(texts[i] as string))).toBe(true);
      });
    }),
  );
});
