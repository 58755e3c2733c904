// The bytes on disk: what goes in comes out, and what was changed does not.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ChunkDamage,
  chunkSize,
  decodeChunk,
  encodable,
  sealChunk,
  writeChunk,
} from '#src/broker/drivers/embedded/chunk.js';
import type { Message } from '#src/message/message.js';

const place = { topic: 't', partition: 2, base: 1_000_000 };
const timestampMs = 1_795_248_928_116;

function chunkOf(messages: readonly Message[]): Buffer {
  const records = messages.map(encodable);
  const chunk = Buffer.alloc(chunkSize(records));
  expect(writeChunk(chunk, 0, place.base, timestampMs, records)).toBe(chunk.length);
  sealChunk(chunk);
  return chunk;
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const message: fc.Arbitrary<Message> = fc.record({
  topic: fc.constant('t'),
  key: fc.option(bytes, { nil: null }),
  body: bytes,
  headers: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' }), { noNullPrototype: true }),
});

test('any messages come back as they were, with their offsets', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 20 }), fc.nat({ max: 25 }), (messages, skip) => {
      const read = decodeChunk(chunkOf(messages), place, place.base + skip);
      expect(read.length).toBe(Math.max(0, messages.length - skip));
      read.forEach((stored, i) => {
        const written = messages[i + skip] as Message;
        expect(stored).toMatchObject({ topic: 't', partition: 2, offset: BigInt(place.base + skip + i), timestampMs });
        expect(stored.headers).toEqual(written.headers);
        expect(stored.body.equals(written.body)).toBe(true);
        expect(stored.key === null ? null : [...stored.key]).toEqual(written.key === null ? null : [...written.key]);
      });
    }),
  );
});

test('any changed bit, a cut and a wrong place are damage', () => {
  const chunk = chunkOf([{ topic: 't', key: Buffer.from('k'), body: Buffer.from('body'), headers: { a: 'b' } }]);
  for (let bit = 0; bit < chunk.length * 8; bit += 1) {
    const changed = Buffer.from(chunk);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(() => decodeChunk(changed, place, place.base)).toThrow(ChunkDamage);
  }
  for (let length = 0; length < chunk.length; length += 1) {
    expect(() => decodeChunk(chunk.subarray(0, length), place, place.base)).toThrow(ChunkDamage);
  }
  expect(() => decodeChunk(chunk, { ...place, base: place.base + 1 }, place.base)).toThrow(ChunkDamage);
});
