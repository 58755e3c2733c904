// The ways in which a caller's secret may stand in a configuration: as it is, or as what only proves it.

export interface PlainSecret {
  readonly kind: 'plain';
  readonly text: string;
}

export interface HashedSecret {
  readonly kind: 'sha256';
  readonly hashHex: string;
}

export interface StretchedSecret {
  readonly kind: 'scrypt';
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly saltHex: string;
  readonly hashHex: string;
}

export type SecretForm = PlainSecret | HashedSecret | StretchedSecret;

const hex = /^[0-9a-f]+$/i;
/** One verification holds 128 * cost * blockSize bytes, and a thread for up to half a second. */
const maxScryptBytes = 134_217_728;
const maxParallelization = 16;
const minSaltBytes = 8;
const minHashBytes = 16;
const maxHashBytes = 64;

export const secretAllowed =
  'a text that is not empty, sha256:HASH, or scrypt:N:r:p:SALT:HASH (SALT and HASH in hex; N and r for at most 128 MiB)';

/** Null for an empty text, and for one that begins like a hashed secret and is none. */
export function secretFormOf(text: unknown): SecretForm | null {
  if (typeof text !== 'string' || text === '') return null;
  if (text.startsWith('sha256:')) return hashed(text.slice('sha256:'.length));
  if (text.startsWith('scrypt:')) return stretched(text.slice('scrypt:'.length));
  return { kind: 'plain', text };
}

function hashed(rest: string): HashedSecret | null {
  return isHex(rest, 32, 32) ? { kind: 'sha256', hashHex: rest.toLowerCase() } : null;
}

function stretched(rest: string): StretchedSecret | null {
  const [n = '', r = '', p = '', saltHex = '', hashHex = '', ...more] = rest.split(':');
  if (more.length > 0 || ![n, r, p].every((part) => /^[1-9]\d{0,8}$/.test(part))) return null;
  const [cost, blockSize, parallelization] = [Number(n), Number(r), Number(p)];
  const isPowerOfTwo = cost > 1 && Number.isInteger(Math.log2(cost));
  if (!isPowerOfTwo || parallelization > maxParallelization || 128 * cost * blockSize > maxScryptBytes) return null;
  if (!isHex(saltHex, minSaltBytes, maxHashBytes) || !isHex(hashHex, minHashBytes, maxHashBytes)) return null;
  return { kind: 'scrypt', cost, blockSize, parallelization, saltHex, hashHex };
}

function isHex(text: string, minBytes: number, maxBytes: number): boolean {
  return hex.test(text) && text.length % 2 === 0 && text.length >= 2 * minBytes && text.length <= 2 * maxBytes;
}
