// Holds a presented secret against the ones that are set, in a time that says nothing about them.
import { hash, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import type { SecretForm, StretchedSecret } from '../config-watch/secret-form.js';

export class SecretCheck {
  private readonly digests: readonly Buffer[];
  private readonly stretched: readonly StretchedSecret[];

  constructor(secrets: readonly SecretForm[]) {
    // Digests have one length, whatever the secret's was.
    this.digests = secrets.flatMap((secret) => {
      if (secret.kind === 'plain') return [digestOf(secret.text)];
      return secret.kind === 'sha256' ? [Buffer.from(secret.hashHex, 'hex')] : [];
    });
    this.stretched = secrets.filter((secret) => secret.kind === 'scrypt');
  }

  get isStretched(): boolean {
    return this.stretched.length > 0;
  }

  /** Compares with every one that needs no stretching, whichever matches. */
  matchesAtOnce(presented: string): boolean {
    const digest = digestOf(presented);
    let found = false;
    for (const each of this.digests) found = timingSafeEqual(digest, each) || found;
    return found;
  }

  /** Compares with every other one, one after another. Rejects when there is no memory for it. */
  async matchesStretched(presented: string): Promise<boolean> {
    let found = false;
    for (const secret of this.stretched) {
      const wanted = Buffer.from(secret.hashHex, 'hex');
      found = timingSafeEqual(await stretch(presented, secret, wanted.length), wanted) || found;
    }
    return found;
  }
}

const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer');

function stretch(text: string, secret: StretchedSecret, bytes: number): Promise<Buffer> {
  const { cost, blockSize, parallelization, saltHex } = secret;
  // What OpenSSL counts is a little more than the formula's 128 * N * r.
  const maxmem = 128 * blockSize * (cost + parallelization) + 1_048_576;
  const options: ScryptOptions = { cost, blockSize, parallelization, maxmem };
  return new Promise((resolve, reject) => {
    scrypt(text, Buffer.from(saltHex, 'hex'), bytes, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
