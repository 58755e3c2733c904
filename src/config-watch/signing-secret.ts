// Secrets that deliveries are signed with, as Standard Webhooks writes them: whsec_ (shared) and whsk_ (an ed25519 key of ours).

export interface SigningSecret {
  readonly kind: 'hmac' | 'ed25519';
  /** Of an ed25519 key: its seed. */
  readonly keyBase64: string;
}

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** What the specification asks of a shared secret. */
const minSharedBytes = 24;
const maxSharedBytes = 64;
const seedBytes = 32;
/** Some libraries write the public half behind the seed. */
const seedAndPublicBytes = 64;

export const signingSecretAllowed =
  '"whsec_" and 24 to 64 bytes in base64, or "whsk_" and an ed25519 key (its seed of 32 bytes, with or without the public half) in base64';

/** Null for anything else. */
export function signingSecretOf(text: unknown): SigningSecret | null {
  const [, prefix, encoded = ''] = (typeof text === 'string' && /^(whsec|whsk)_(.+)$/s.exec(text)) || [];
  if (!base64.test(encoded)) return null;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) return null;
  if (prefix === 'whsec') {
    const fits = bytes.length >= minSharedBytes && bytes.length <= maxSharedBytes;
    return fits ? { kind: 'hmac', keyBase64: bytes.toString('base64') } : null;
  }
  if (bytes.length !== seedBytes && bytes.length !== seedAndPublicBytes) return null;
  return { kind: 'ed25519', keyBase64: bytes.subarray(0, seedBytes).toString('base64') };
}
