// The note of a moved message: it comes back as it was written, and whatever else stands there is said to be unreadable.
import { expect, test } from 'vitest';
import { type SideNote, sideNoteOf, withoutSideNote, withSideNote } from '#src/message/side-message.js';

const note: SideNote = {
  from: { topic: 'orders', partition: 3, offset: 17n },
  origin: { topic: 'orders.G.delay.1m', partition: 3, offset: 2n ** 53n },
  owner: 'a-b-c',
  hop: 2,
  attempts: 5,
  redelivery: 'timeout',
  firstAttemptMs: 1_700_000_000_000,
  notBeforeMs: 0,
};
const source = {
  topic: 'orders',
  partition: 3,
  offset: 17n,
  timestampMs: 1,
  key: null,
  body: Buffer.from('x'),
  headers: { 'bigpipe-url': 'http://a.example/' },
};

test('is read as it was written, and goes without a trace', () => {
  const headers = withSideNote(source, note, 'id-1');
  expect(sideNoteOf(headers)).toEqual(note);
  expect(sideNoteOf(withSideNote(source, { ...note, redelivery: '' }, 'id-1'))?.redelivery).toBe('');
  expect(withoutSideNote(headers)).toEqual({ ...source.headers, 'bigpipe-message-id': 'id-1' });
  expect(sideNoteOf(source.headers)).toBeUndefined();
});

const good = withSideNote(source, note, 'id-1')['bigpipe-side'] as string;
const changed = (at: number, part: string) => good.split(' ').with(at, part).join(' ');

test.each([
  ['nothing', ''],
  ['another version', changed(0, '2')],
  ['a place without its offset', changed(1, 'orders/3')],
  ['a place without its topic', changed(1, '/3/17')],
  ['an offset that is none', changed(1, 'orders/3/-1')],
  ['an origin that is none', changed(2, 'orders/x/17')],
  ['an offset past what any log holds', changed(2, `orders/3/${'9'.repeat(19)}`)],
  ['a hop that is no number', changed(5, 'x')],
  ['a hop below zero', changed(5, '-1')],
  ['a time that is no whole number', changed(8, '1.5')],
  ['one part too few', good.slice(0, good.lastIndexOf(' '))],
  ['one part too many', `${good} 0`],
  ['two blanks', good.replace(' ', '  ')],
  ['a line behind it', `${good}\n`],
  ['half of it', good.slice(0, good.length / 2)],
])('%s cannot be read', (_what, text) => {
  expect(sideNoteOf({ 'bigpipe-side': text })).toBeNull();
});
