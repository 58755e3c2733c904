// Requests between nodes: only what one of ours has signed, for this node, just now, is let in.
import { expect, test } from 'vitest';
import { signedAgain } from '#src/ingress/pull/signed-again.js';
import { newLeaseId, nodeOfLease } from '#src/target/mailbox/lease-id.js';
import { nodeCallerHeader, nodeHeader, signed, verifiedCaller } from '#src/target/mailbox/node-signature.js';

const secret = 'a-secret-of-the-nodes';
const request = {
  from: '0a1b2c3d',
  to: '4e5f6a7b',
  path: '/v1/subscriptions/G1/ack',
  caller: 'system-1 é',
  body: Buffer.from('{"leases":["x"]}'),
};
const nowMs = 1_800_000_000_000;
const headers = signed(request, secret, nowMs);

test('what a node has signed is let in, in the name of its caller, while it is fresh', () => {
  expect(verifiedCaller(headers, request, secret, nowMs + 59_000)).toBe('system-1 é');
  expect(verifiedCaller(headers, request, secret, nowMs - 59_000)).toBe('system-1 é');
});

test('nothing else is', () => {
  const wrong = {
    late: verifiedCaller(headers, request, secret, nowMs + 61_000),
    early: verifiedCaller(headers, request, secret, nowMs - 61_000),
    otherSecret: verifiedCaller(headers, request, `${secret}!`, nowMs),
    otherNode: verifiedCaller(headers, { ...request, to: '00000000' }, secret, nowMs),
    otherPath: verifiedCaller(headers, { ...request, path: '/v1/subscriptions/G2/ack' }, secret, nowMs),
    otherBody: verifiedCaller(headers, { ...request, body: Buffer.from('{}') }, secret, nowMs),
    otherCaller: verifiedCaller({ ...headers, [nodeCallerHeader]: 'system-2' }, request, secret, nowMs),
    noCaller: verifiedCaller({ [nodeHeader]: headers[nodeHeader] }, request, secret, nowMs),
    badCaller: verifiedCaller({ ...headers, [nodeCallerHeader]: '%zz' }, request, secret, nowMs),
    noForm: verifiedCaller({ ...headers, [nodeHeader]: 'x' }, request, secret, nowMs),
    nothing: verifiedCaller({}, request, secret, nowMs),
  };
  expect(Object.values(wrong).filter((caller) => caller !== null)).toEqual([]);
});

test('a worker that says more of it signs for the new path and body', () => {
  const nack = { ...request, path: '/v1/subscriptions/G1/nack', body: Buffer.from('{"leases":["y"]}') };
  const again = signedAgain({ ...headers, accept: '*/*' }, nack, secret, nowMs + 70_000);
  expect(verifiedCaller(again, nack, secret, nowMs + 70_000)).toBe('system-1 é');
  expect(again['accept']).toBe('*/*');
  expect(signedAgain({ authorization: 'x' }, nack, secret, nowMs)).toEqual({ authorization: 'x' });
});

test('a lease says whose it is; what is no lease says nothing', () => {
  const lease = newLeaseId('0a1b2c3d');
  expect(nodeOfLease(lease)).toBe('0a1b2c3d');
  expect(newLeaseId('0a1b2c3d')).not.toBe(lease);
  expect(['', 'there is none', lease.slice(1), `${lease}0`].map(nodeOfLease)).toEqual([null, null, null, null]);
});
