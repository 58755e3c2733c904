// Which IP addresses are not everybody's: the special ones of the registries, and those at which clouds hand out credentials.
import { BlockList, isIPv4 } from 'node:net';

export interface AddressKind {
  /** "a loopback address" */
  readonly what: string;
  /** A name that the operator trusts may lead there; the others have to be allowed by their address. */
  readonly isReachedByName: boolean;
}

const inside = { isReachedByName: true };
const never = { isReachedByName: false };

/** The first one that fits is told. */
const kinds: readonly (AddressKind & { readonly ranges: readonly string[] })[] = [
  {
    what: 'a metadata address',
    ...never,
    ranges: [
      '169.254.169.254/32',
      '169.254.170.2/32',
      '169.254.170.23/32',
      '100.100.100.200/32',
      '168.63.129.16/32',
      '192.0.0.192/32',
      'fd00:ec2::254/128',
      'fd00:ec2::23/128',
      'fd20:ce::254/128',
    ],
  },
  { what: 'a loopback address', ...inside, ranges: ['127.0.0.0/8', '::1/128'] },
  {
    what: 'a private address',
    ...inside,
    ranges: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10'],
  },
  { what: 'an address of carrier-grade NAT', ...inside, ranges: ['100.64.0.0/10'] },
  { what: 'a link-local address', ...never, ranges: ['169.254.0.0/16', 'fe80::/10'] },
  { what: 'an unspecified address', ...never, ranges: ['0.0.0.0/8', '::/128'] },
  { what: 'a multicast address', ...never, ranges: ['224.0.0.0/4', 'ff00::/8'] },
  {
    what: 'a reserved address',
    ...never,
    ranges: [
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      '2001::/23',
      '2001:db8::/32',
      '3fff::/20',
      // Outside of what is given out to the public (2000::/3), so far as no line above says more.
      '::/3',
      '4000::/2',
      '8000::/1',
    ],
  },
];

/** Kept apart: Node holds a rule for the one family against addresses of the other too. */
const lists = kinds.map((kind) => {
  const [ipv4, ipv6] = [new BlockList(), new BlockList()];
  for (const range of kind.ranges) addRange(isIPv4(range.replace(/\/.*/, '')) ? ipv4 : ipv6, range);
  return { kind, ipv4, ipv6 };
});

/** Null for one that is everybody's. `address` is an IP address; an IPv4 one inside an IPv6 one is not looked at. */
export function kindOf(address: string): AddressKind | null {
  const found = isIPv4(address)
    ? lists.find(({ ipv4 }) => ipv4.check(address, 'ipv4'))
    : lists.find(({ ipv6 }) => ipv6.check(address.replace(/%.*$/, ''), 'ipv6'));
  return found?.kind ?? null;
}

/** `range`: an address with or without a prefix. */
export function addRange(list: BlockList, range: string): void {
  const [address, prefix] = range.split('/') as [string, string?];
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  list.addSubnet(address, prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix), family);
}
