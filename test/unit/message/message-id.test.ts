// Ids that bigpipe makes: ULIDs behind msg_, sorted by time, whose time can be read again.
import { expect, test } from 'vitest';
import { isMessageId, newMessageId, timeOfMessageId } from '#src/message/message-id.js';

const ulid = /^msg_[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

test('26 of Crockford’s letters, and the time in the first ten', () => {
  for (const nowMs of [0, 1, 31, 32, 1_469_918_176_385, 1_763_000_000_000, 2 ** 48 - 1]) {
    const id = newMessageId(nowMs);
    expect(id).toMatch(ulid);
    expect(timeOfMessageId(id)).toBe(nowMs);
    expect(isMessageId(id)).toBe(true);
  }
  // The example of the specification.
  expect(newMessageId(1_469_918_176_385).slice(4, 14)).toBe('01ARYZ6S41');
});

test('no two are alike, and all bits of chance are used', () => {
  const ids = Array.from({ length: 20_000 }, () => newMessageId(1_763_000_000_000));
  expect(new Set(ids).size).toBe(ids.length);
  for (let place = 14; place < 30; place += 1) expect(new Set(ids.map((id) => id[place])).size).toBe(32);
});

test('they sort as their times do', () => {
  const times = [5, 1_000, 1_001, 1_763_000_000_000, 1_763_000_000_001];
  const ids = times.map(newMessageId);
  expect([...ids].sort()).toEqual(ids);
});

test('ids of before are read too, and others have no time', () => {
  expect(timeOfMessageId('msg_01a1fdd8-1234-7abc-8def-0123456789ab')).toBe(0x01a1fdd81234);
  for (const id of [
    '',
    'mine',
    'msg_',
    'msg_01ARYZ6S41',
    'msg_81ARYZ6S410000000000000000',
    'msg_01ARYZ6S41000000000000000U',
  ])
    expect([id, timeOfMessageId(id)]).toEqual([id, null]);
});
