// Signs requests as Standard Webhooks 1.0 has it, so that a receiver knows who sent them and when.
import { createHmac, createPrivateKey, sign } from 'node:crypto';
import type { SigningSettings } from '../../message/delivery.js';

/** Nobody else's may stand beside ours. */
export const signatureHeaders: ReadonlySet<string> = new Set(['webhook-id', 'webhook-timestamp', 'webhook-signature']);

type SignOne = (head: string, body: Buffer) => string;

const made = new WeakMap<SigningSettings, readonly SignOne[]>();

/**
 * Names and values, flat. Each secret signs, in its order: a receiver that knows one of them finds its own. `nowMs` unix;
 * the timestamp is the attempt's, in whole seconds.
 */
export function signatureOf(signing: SigningSettings, id: string, nowMs: number, body: Buffer): readonly string[] {
  let signers = made.get(signing);
  if (signers === undefined) {
    signers = signing.secrets.map(signerOf);
    made.set(signing, signers);
  }
  const seconds = String(Math.floor(nowMs / 1000));
  const head = `${id}.${seconds}.`;
  const signatures = signers.map((signOne) => signOne(head, body)).join(' ');
  return ['webhook-id', id, 'webhook-timestamp', seconds, 'webhook-signature', signatures];
}

/** What DER puts before the seed of an ed25519 key (RFC 8410). */
const ed25519Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

function signerOf({ kind, keyBase64 }: SigningSettings['secrets'][number]): SignOne {
  const bytes = Buffer.from(keyBase64, 'base64');
  if (kind === 'hmac')
    return (head, body) => `v1,${createHmac('sha256', bytes).update(head).update(body).digest('base64')}`;
  const key = createPrivateKey({ key: Buffer.concat([ed25519Prefix, bytes]), format: 'der', type: 'pkcs8' });
  return (head, body) => `v1a,${sign(null, Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`;
}
