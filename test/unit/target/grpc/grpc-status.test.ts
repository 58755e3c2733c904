// What a receiver's gRPC status means, and for how long it asks to be left alone.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultVerdicts } from '#src/message/verdict.js';
import { meaningOf, messageIn, retryAfterMsIn } from '#src/target/grpc/grpc-status.js';

test('by default the same call again is tried where it may succeed', () => {
  const verdicts = Array.from({ length: 17 }, (_, code) => defaultVerdicts.of(meaningOf(`${code}`).status));
  const codesOf = (verdict: string) => verdicts.flatMap((one, code) => (one === verdict ? [code] : []));
  expect(codesOf('delivered')).toEqual([0]);
  expect(codesOf('retry')).toEqual([1, 2, 4, 8, 10, 13, 14, 15]);
  expect(codesOf('rejected')).toEqual([3, 5, 6, 7, 9, 11, 12, 16]);
});

test.each(['17', '99', '-1', '', 'OK', '1e1', '0x0'])('%j is UNKNOWN', (code) => {
  expect(meaningOf(code).name).toBe('UNKNOWN');
});

/** As other libraries write it: code 8, a message, an ErrorInfo, and a RetryInfo of 2.5 s. */
const details =
  'CAgSBGJ1c3kaNQoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxIJCgRCVVNZEgFhGjYKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5SZXRyeUluZm8SCgoICAIQgMq17gE';

test('RetryInfo and pushback say how long', () => {
  expect(retryAfterMsIn(undefined, details)).toBe(2500);
  expect(retryAfterMsIn('7', details)).toBe(7);
  expect(retryAfterMsIn('-1', undefined)).toBeNull();
  expect(retryAfterMsIn(undefined, undefined)).toBeNull();
});

test('whatever a receiver sends there throws nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (bytes, text) => {
      const ms = retryAfterMsIn(text, Buffer.from(bytes).toString('base64'));
      expect(ms === null || ms >= 0).toBe(true);
      expect(typeof messageIn(text)).toBe('string');
    }),
  );
  for (let end = 0; end < details.length; end += 1) retryAfterMsIn(undefined, details.slice(0, end));
});

test('a message is shown decoded, one that was encoded wrongly as it stands', () => {
  expect(messageIn('kaputt %C3%BC')).toBe('kaputt ü');
  expect(messageIn('100%')).toBe('100%');
});
