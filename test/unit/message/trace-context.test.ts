// W3C trace context in headers.
import { expect, test } from 'vitest';
import { putTrace, storedTrace, traceContextOf, traceIdOf } from '#src/message/trace-context.js';

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test.each([
  ['no text', undefined],
  ['nothing', ''],
  ['an unknown form', 'no'],
  ['upper case', parent.toUpperCase()],
  ['version ff', `ff${parent.slice(2)}`],
  ['a trace of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
  ['a parent of zeros', `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`],
  ['more behind it', `${parent}-x`],
  ['two of them', `${parent}, ${parent}`],
])('%s is none', (_what, text) => {
  expect(traceContextOf(text, undefined)).toBeNull();
});

test('a state that is wrong, or too long, costs the state only', () => {
  expect(traceContextOf(parent, 'a=1')).toEqual({ traceparent: parent, tracestate: 'a=1' });
  for (const state of ['', ' a=1', 'a=\u00e9', 'x'.repeat(600), ['a=1']])
    expect(traceContextOf(parent, state)).toEqual({ traceparent: parent, tracestate: null });
});

test('what is put into headers is found there, and one that others wrote as well', () => {
  const headers: Record<string, string> = { 'bigpipe-forward-tracestate': 'old=1' };
  putTrace(headers, { traceparent: parent, tracestate: null });
  expect(headers).toEqual({ 'bigpipe-forward-traceparent': parent });
  expect(storedTrace(headers)).toEqual({ traceparent: parent, tracestate: null });
  expect(storedTrace({ traceparent: parent, tracestate: 'a=1' })).toEqual({ traceparent: parent, tracestate: 'a=1' });
  expect(storedTrace({})).toBeNull();
  expect(traceIdOf({ traceparent: parent, tracestate: null })).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
});
