// A message that stays while those around it go keeps only its own bytes in memory.
import { expect, test } from 'vitest';
import { cutLoose, isCutOut, type Message } from '#src/message/message.js';

const slab = Buffer.alloc(65_536, 'x');

function message(body: Buffer, key: Buffer | null): Message {
  return { topic: 't', key, body, headers: { a: 'b' } };
}

test('bytes that were cut out of many more get memory of their own', () => {
  const cut = message(slab.subarray(100, 1100), slab.subarray(5, 8));
  expect(isCutOut(cut)).toBe(true);
  cutLoose(cut);
  expect(isCutOut(cut)).toBe(false);
  expect(cut).toEqual(message(Buffer.alloc(1000, 'x'), Buffer.from('xxx')));
  expect(cut.body.buffer.byteLength).toBe(1003);
  expect(cut.key?.buffer).toBe(cut.body.buffer);
});

test('what has most of its memory to itself stays as it is', () => {
  expect(isCutOut(message(slab.subarray(1000), null))).toBe(false);
  expect(isCutOut(message(Buffer.alloc(65_536), null))).toBe(false);
});

test('no body and no key take nothing with them', () => {
  const empty = message(slab.subarray(7, 7), null);
  cutLoose(empty);
  expect(empty).toMatchObject({ key: null, body: Buffer.alloc(0) });
  expect(isCutOut(empty)).toBe(false);
});
