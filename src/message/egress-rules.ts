// Where calls may go: by the URL as it stands, and by the address that its name turned out to have. Pure.
import { BlockList, isIP, isIPv4 } from 'node:net';
import { type AddressKind, addRange, kindOf } from './address-kinds.js';
import { type CallScheme, callSchemes, parseCallUrl, portOf } from './call-url.js';
import { carriedIPv4, groupsOf } from './ip-address.js';
import { RecentMap } from './recent-map.js';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface EgressAllowance {
  /** Addresses, ranges and names, as `allowanceOf` takes them. */
  readonly allow: readonly string[];
  /** null: any. */
  readonly ports: readonly PortRange[] | null;
  readonly schemes: readonly CallScheme[];
}

const hostName = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
/** Judging one costs some microseconds; callers use the same origins, and these their addresses, many times. Twice as many at the most. */
const maxKnown = 16_384;

/** `10.0.0.0/8`, `::1`, `hooks.internal`, `*.internal` as they are compared; null for anything else. */
export function allowanceOf(text: unknown): { readonly range: string } | { readonly name: string } | null {
  if (typeof text !== 'string') return null;
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  if (family !== 0) {
    const bits = family === 4 ? 32 : 128;
    const isRange = more.length === 0 && !address.includes('%') && (prefix === undefined || isPrefix(prefix, bits));
    return isRange ? { range: text } : null;
  }
  const name = text.toLowerCase();
  // The last label of a name has a letter: 10.0.0 is an address that somebody mistyped.
  return hostName.test(name) && /[a-z]/.test(name.slice(name.lastIndexOf('.') + 1)) ? { name } : null;
}

export class EgressRules {
  /** Kept apart: Node holds a rule for the one family against addresses of the other too. */
  private readonly ipv4 = new BlockList();
  private readonly ipv6 = new BlockList();
  private readonly names = new Set<string>();
  private readonly suffixes: string[] = [];
  private readonly knownOrigins = new RecentMap<string, string | null>(maxKnown);
  private readonly knownAddresses = new RecentMap<string, string | null>(maxKnown);

  constructor(private readonly allowance: EgressAllowance) {
    for (const allowed of allowance.allow.map(allowanceOf)) {
      if (allowed === null) continue;
      if ('range' in allowed)
        addRange(isIPv4(allowed.range.replace(/\/.*/, '')) ? this.ipv4 : this.ipv6, allowed.range);
      else if (allowed.name.startsWith('*.')) this.suffixes.push(allowed.name.slice(1));
      else this.names.add(allowed.name);
    }
  }

  /** Why no call may go there, as far as the URL itself says: scheme, port, an address for a host; else null. */
  againstUrl(url: string): string | null {
    const origin = parseCallUrl(url)?.origin;
    return origin === undefined ? 'it is no URL of a call' : this.againstOrigin(origin);
  }

  /** The same for an origin as a URL parser writes it. */
  againstOrigin(origin: string): string | null {
    return known(this.knownOrigins, origin, () => this.judge(origin));
  }

  /** Why no call for `host` may go to this address; null when it may. */
  againstAddress(address: string, host: string): string | null {
    return known(this.knownAddresses, `${address} ${host}`, () => this.judgeAddress(address, host));
  }

  private judgeAddress(address: string, host: string): string | null {
    if (isIPv4(address)) return this.againstIPv4(address, host, address);
    const groups = groupsOf(address);
    if (groups === null) return `${address} is no address`;
    const bare = address.replace(/%.*$/, '');
    const isAllowed = this.ipv6.check(bare, 'ipv6');
    const carried = carriedIPv4(groups);
    if (carried === null) {
      const kind = isAllowed ? null : kindOf(bare);
      return kind === null || this.isAllowedByName(kind, host) ? null : refusal(address, kind.what);
    }
    const { by, address: inner } = carried;
    if (by === 'mapped') {
      // The system sends to the IPv4 address: what holds for that one holds here.
      if (isAllowed || this.ipv4.check(inner, 'ipv4')) return null;
      const reason = this.againstIPv4(inner, host, address);
      return reason ?? (kindOf(inner) === null ? refusal(address, 'an IPv4 address in the form of IPv6') : null);
    }
    if (!isAllowed) return refusal(address, `an address that leads to ${inner} (${by})`);
    return this.againstIPv4(inner, host, address);
  }

  private againstIPv4(address: string, host: string, shown: string): string | null {
    if (this.ipv4.check(address, 'ipv4')) return null;
    const kind = kindOf(address);
    return kind === null || this.isAllowedByName(kind, host) ? null : refusal(shown, kind.what);
  }

  private isAllowedByName({ isReachedByName }: AddressKind, host: string): boolean {
    if (!isReachedByName || isIP(host) !== 0) return false;
    const name = host.toLowerCase().replace(/\.$/, '');
    return this.names.has(name) || this.suffixes.some((suffix) => name.endsWith(suffix));
  }

  private judge(origin: string): string | null {
    const { schemes, ports } = this.allowance;
    const url = URL.parse(origin);
    if (url === null) return 'it is no origin';
    const scheme = callSchemes.find((known) => `${known}:` === url.protocol);
    if (scheme === undefined || !schemes.includes(scheme))
      return `${url.protocol.slice(0, -1)} is none of egress.schemes`;
    const port = portOf(origin);
    if (ports !== null && !ports.some(({ first, last }) => first <= port && port <= last)) {
      return `port ${port} is none of egress.ports`;
    }
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    if (isIP(host) !== 0) return this.againstAddress(host, host);
    if (!isLocalhost(host)) return null;
    const reasons = loopbacks.map((address) => this.againstAddress(address, host));
    return reasons.includes(null) ? null : (reasons[0] ?? null);
  }
}

/** What `judge` says, or said before. */
function known(judged: RecentMap<string, string | null>, what: string, judge: () => string | null): string | null {
  let reason = judged.get(what);
  if (reason === undefined) {
    reason = judge();
    judged.set(what, reason);
  }
  return reason;
}

/** What these names always mean. */
export const loopbacks = ['127.0.0.1', '::1'] as const;

export const isLocalhost = (host: string): boolean => /(^|\.)localhost\.?$/i.test(host);

const made = new WeakMap<EgressAllowance, EgressRules>();

/** The same rules for the same settings, so that whoever asks shares what was judged. */
export function egressRulesOf(allowance: EgressAllowance): EgressRules {
  let rules = made.get(allowance);
  if (rules === undefined) {
    rules = new EgressRules(allowance);
    made.set(allowance, rules);
  }
  return rules;
}

const refusal = (address: string, what: string) => `${address} is ${what}, and egress.allow does not name it`;

const isPrefix = (text: string, bits: number) => /^\d{1,3}$/.test(text) && Number(text) <= bits;
