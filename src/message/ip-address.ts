// What an IP address is: the groups of an IPv6 one, and the IPv4 one that it may carry inside.
import { isIPv4, isIPv6 } from 'node:net';

/** The eight numbers of an IPv6 address, without its zone; null for anything else. */
export function groupsOf(address: string): readonly number[] | null {
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return null;
  const [head, tail] = withoutDots(bare).split('::') as [string, string?];
  const before = numbersOf(head);
  const after = numbersOf(tail ?? '');
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<number>(missing).fill(0), ...after];
}

/** How an IPv6 address carries an IPv4 one. */
export const carriers = ['mapped', 'compatible', 'translated', 'NAT64', '6to4', 'Teredo'] as const;
export type Carrier = (typeof carriers)[number];

/** Null when there is none in it. */
export function carriedIPv4(groups: readonly number[]): { readonly by: Carrier; readonly address: string } | null {
  const [a, b, c, d, e, f, g, h] = groups as [number, number, number, number, number, number, number, number];
  const last = { address: dotted(g, h) };
  const begins = a === 0 && b === 0 && c === 0 && d === 0;
  if (begins && e === 0 && f === 0xffff) return { by: 'mapped', ...last };
  if (begins && e === 0xffff && f === 0) return { by: 'translated', ...last };
  // :: and ::1 are themselves.
  if (begins && e === 0 && f === 0 && (g > 0 || h > 1)) return { by: 'compatible', ...last };
  if (a === 0x64 && b === 0xff9b) return { by: 'NAT64', ...last };
  if (a === 0x2002) return { by: '6to4', address: dotted(b, c) };
  if (a === 0x2001 && b === 0) return { by: 'Teredo', address: dotted(~g & 0xffff, ~h & 0xffff) };
  return null;
}

/** One host has as many IPv6 addresses of its network as it likes: its first 64 bits. An IPv4 address is itself. */
export function networkOf(address: string): string {
  const groups = isIPv4(address) ? null : groupsOf(address);
  if (groups === null) return address;
  const carried = carriedIPv4(groups);
  return carried?.by === 'mapped' ? carried.address : groups.slice(0, 4).join(':');
}

const numbersOf = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));

const dotted = (high: number, low: number) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

/** The form ::ffff:1.2.3.4 with two groups in place of its four numbers. */
function withoutDots(address: string): string {
  const at = address.lastIndexOf(':') + 1;
  const last = address.slice(at);
  if (!last.includes('.')) return address;
  const [a = 0, b = 0, c = 0, d = 0] = last.split('.').map(Number);
  return `${address.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
