// Reading the body of /rpc/call: whatever the bytes are, there is a call or a refusal, and a call is what was sent.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RpcCall, readRpcCall } from '#src/ingress/rpc/rpc-call.js';

const good = {
  acl: { name: 'system-1', secret: 'i am good' },
  url: 'http://127.0.0.1/hook',
  data: 'hello',
  partition_key: 'k',
};

const read = (value: unknown) => readRpcCall(Buffer.from(JSON.stringify(value)));
const refusals = new Set(
  'JSON无效 url无效 data无效 partition_key无效 acl无效 acl.name acl.secret id无效 acks无效 content_type无效'.split(' '),
);

describe('never throws', () => {
  test('whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const result = readRpcCall(Buffer.from(bytes));
        expect(result).toHaveProperty('refused');
      }),
    );
  });

  test('whatever the JSON is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(read(value)).toHaveProperty('refused');
      }),
    );
  });

  test('whatever one field is', () => {
    const fields = ['acl', 'url', 'data', 'partition_key', 'id', 'acks', 'content_type', 'headers'];
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.jsonValue(), (field, value) => {
        const result = read({ ...good, [field]: value });
        const isKnown =
          !('refused' in result) || refusals.has(result.refused) || result.refused.startsWith('headers无效');
        expect(isKnown).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('without a body', () => {
    expect(readRpcCall(undefined)).toEqual({ refused: 'JSON无效' });
    expect(readRpcCall(Buffer.alloc(0))).toEqual({ refused: 'JSON无效' });
  });
});

test('a call is what was sent, character for character', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, text, text, (name, secret, data, key) => {
      const call = read({ ...good, acl: { name, secret }, data, partition_key: key }) as RpcCall;
      expect(call).toMatchObject({ aclName: name, aclSecret: secret, data, key });
    }),
  );
});

test("the defaults are the broker's", () => {
  expect(read(good)).toEqual({
    url: 'http://127.0.0.1/hook',
    aclName: 'system-1',
    aclSecret: 'i am good',
    data: 'hello',
    key: 'k',
    id: undefined,
    acks: undefined,
    headers: { 'bigpipe-url': good.url },
    timesAt: null,
    waitMs: 0,
    callbackUrl: null,
  });
});

test('a forwarded header can be no header of bigpipe, whatever its letters', () => {
  const names = fc.mixedCase(fc.constantFrom('bigpipe-message-id', 'bigpipe-url', 'bigpipe-forward-x', 'content-type'));
  fc.assert(
    fc.property(names, (name) => {
      expect(read({ ...good, headers: { [name]: 'x' } })).toEqual({
        refused: `headers无效: ${name.toLowerCase()} is not forwarded`,
      });
    }),
  );
});

test('no header value can start another header', () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom('\r', '\n', '\0', '\r\n'), fc.string(), (before, line, after) => {
      expect(read({ ...good, headers: { 'x-a': before + line + after } })).toHaveProperty('refused');
      expect(read({ ...good, content_type: before + line + after })).toEqual({ refused: 'content_type无效' });
    }),
  );
});
