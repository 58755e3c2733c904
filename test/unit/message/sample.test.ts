// Which messages the log tells of.
import { expect, test } from 'vitest';
import { newMessageId } from '#src/message/message-id.js';
import { isSampled } from '#src/message/sample.js';

const ids = Array.from({ length: 20_000 }, (_, i) => newMessageId(1_700_000_000_000 + i));

test.each([0.01, 0.1, 0.5])('about the share %d of ids that were made one after another', (share) => {
  const part = ids.filter((id) => isSampled(id, share)).length / ids.length;
  expect(part).toBeGreaterThan(share * 0.7);
  expect(part).toBeLessThan(share * 1.3);
});

test('all or none at the ends, and who is in a small share is in a larger one', () => {
  expect(ids.every((id) => isSampled(id, 1) && !isSampled(id, 0))).toBe(true);
  expect(ids.filter((id) => isSampled(id, 0.1)).every((id) => isSampled(id, 0.2))).toBe(true);
});

test('ids that callers count up are spread as well', () => {
  const counted = Array.from({ length: 20_000 }, (_, i) => `order-${i}`);
  const part = counted.filter((id) => isSampled(id, 0.1)).length / counted.length;
  expect(part).toBeGreaterThan(0.07);
  expect(part).toBeLessThan(0.13);
});
