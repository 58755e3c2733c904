// The messages of a transaction, there and back through the one record that holds them, and what a commit makes of their times.
import { expect, test } from 'vitest';
import { messageHeader } from '#src/message/message.js';
import { committedMessages, type HalfMessage, packed, unpacked } from '#src/transaction/half-messages.js';

const halves: readonly HalfMessage[] = [
  {
    topic: 'a',
    key: Buffer.from([0xff, 0]),
    body: Buffer.from([1, 0, 255]),
    headers: { [messageHeader.id]: 'msg_1', [messageHeader.notBefore]: '7' },
    delayMs: 0,
    lastsMs: 0,
  },
  { topic: 'b', key: null, body: Buffer.alloc(0), headers: { [messageHeader.id]: 'ä' }, delayMs: 5, lastsMs: 9 },
];

test('as they were, in their order', () => {
  expect(unpacked(packed(halves))).toEqual(halves);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['three bytes', Buffer.alloc(3)],
  ['a length and no heads', Buffer.from([0, 0, 0, 9, 1])],
])('%s: no messages, and no fault', (_, bytes) => {
  expect(unpacked(bytes)).toBe(null);
});

test('a delay and an end that is a duration count from the decision; a moment stays as it is', () => {
  const [first, second] = committedMessages(halves, 1000);
  expect(first?.headers).toEqual(halves[0]?.headers);
  expect(second?.headers).toEqual({
    [messageHeader.id]: 'ä',
    [messageHeader.notBefore]: '1005',
    [messageHeader.expires]: '1009',
  });
});
