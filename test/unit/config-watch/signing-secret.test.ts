// Secrets that deliveries are signed with, as people paste them.
import { expect, test } from 'vitest';
import { signingSecretOf } from '#src/config-watch/signing-secret.js';

const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64');

test.each([
  [`whsec_${base64(24)}`, { kind: 'hmac', keyBase64: base64(24) }],
  [`whsec_${base64(64)}`, { kind: 'hmac', keyBase64: base64(64) }],
  [`whsec_${base64(25).replace(/=+$/, '')}`, { kind: 'hmac', keyBase64: base64(25) }],
  [`whsk_${base64(32)}`, { kind: 'ed25519', keyBase64: base64(32) }],
  [`whsk_${base64(64)}`, { kind: 'ed25519', keyBase64: base64(32) }],
])('%s is one', (text, secret) => {
  expect(signingSecretOf(text)).toEqual(secret);
});

test.each<unknown>([
  '',
  base64(32),
  'whsec_',
  `whsec_${base64(23)}`,
  `whsec_${base64(65)}`,
  `whsk_${base64(31)}`,
  `whpk_${base64(32)}`,
  `whsec_${base64(32)} `,
  `whsec_-${base64(32)}`,
  5,
  null,
])('%j is none', (text) => {
  expect(signingSecretOf(text)).toBeNull();
});
