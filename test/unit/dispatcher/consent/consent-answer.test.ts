// Which answers are a consent, and what is said of the others.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answerOf } from '#src/dispatcher/consent/consent-answer.js';
import type { Outcome } from '#src/message/outcome.js';
import { delivered, failed, rejected } from '../../../support/scripted-target.js';

const origin = 'bus.example';
const reply = (allowedOrigin: string | null, allowedRate: string | null, outcome: Outcome = delivered) => ({
  outcome,
  allowedOrigin,
  allowedRate,
});

test.each([
  [origin, '120', 120],
  ['BUS.example', '1', 1],
  ['*', '*', null],
])('%s at %s is a consent', (allowedOrigin, allowedRate, perMinute) => {
  expect(answerOf(reply(allowedOrigin, allowedRate), origin)).toEqual({ kind: 'granted', perMinute });
});

test.each([
  [null, '120', 'without WebHook-Allowed-Origin'],
  ['', '120', 'with WebHook-Allowed-Origin ""'],
  ['other.example', '120', 'with WebHook-Allowed-Origin "other.example", not for bus.example'],
  ['bus.example, *', '120', 'not for bus.example'],
  ['*.example', '120', 'not for bus.example'],
  ['sub.bus.example', '120', 'not for bus.example'],
  ['*', null, 'without WebHook-Allowed-Rate'],
  ['*', '0', 'which is no rate'],
  ['*', '000', 'which is no rate'],
  ['*', '-5', 'which is no rate'],
  ['*', '1.5', 'which is no rate'],
  ['*', '1e3', 'which is no rate'],
  ['*', '60, 120', 'which is no rate'],
  ['*', '9'.repeat(400), '...", which is no rate'],
])('%s at %s is none', (allowedOrigin, allowedRate, why) => {
  const answer = answerOf(reply(allowedOrigin, allowedRate), origin);
  expect(answer).toEqual({ kind: 'refused', why: expect.stringContaining(why) });
  expect((answer as { why: string }).why.length).toBeLessThan(200);
});

test('headers say nothing beside a status that says no', () => {
  expect(answerOf(reply('*', '*', rejected), origin)).toEqual({ kind: 'refused', why: 'the receiver answered 400' });
  expect(answerOf(reply('*', '*', failed), origin)).toEqual({ kind: 'silent', why: 'the receiver answered 500' });
  expect(answerOf(reply(null, null, { kind: 'aborted' }), origin)).toEqual({ kind: 'stopped' });
});

test('whatever a receiver writes, only the two words of the specification agree', () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('*', origin, '60'));
  fc.assert(
    fc.property(fc.option(text), fc.option(text), (allowedOrigin, allowedRate) => {
      const { kind } = answerOf(reply(allowedOrigin, allowedRate), origin);
      const isRate = allowedRate === '*' || (/^\d{1,15}$/.test(allowedRate ?? '') && Number(allowedRate) > 0);
      const isOrigin = allowedOrigin === '*' || allowedOrigin?.toLowerCase() === origin;
      expect(kind).toBe(isOrigin && isRate ? 'granted' : 'refused');
    }),
  );
});
