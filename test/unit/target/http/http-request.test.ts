// What a request says, also for a message that another writer put into the log.
import { expect, test } from 'vitest';
import type { Delivery } from '#src/message/delivery.js';
import { headersOf } from '#src/target/http/http-request.js';

const delivery = (forwarded: readonly string[]): Delivery =>
  ({
    id: 'msg_1',
    attempt: 1,
    redelivery: null,
    shape: null,
    attemptTrace: null,
    forwarded,
    expiresMs: 0,
    source: { headers: {}, body: Buffer.from('x') },
    settings: { maxAttempts: 3, signing: null },
  }) as unknown as Delivery;

test('credentials, and what belongs to one connection, are not forwarded whoever stored them', () => {
  const held = [
    'authorization',
    'cookie',
    'proxy-authorization',
    'connection',
    'transfer-encoding',
    'host',
    'content-length',
  ];
  const forwarded = [...held, 'bigpipe-attempt', 'x-own'].flatMap((name) => [name, `stored-${name}`]);
  const headers = headersOf(delivery(forwarded), 0);
  expect(headers.filter((part) => part.startsWith('stored-'))).toEqual(['stored-x-own']);
  expect(headers.filter((_, i) => i % 2 === 0)).not.toContain('authorization');
});
