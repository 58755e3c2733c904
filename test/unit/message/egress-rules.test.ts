// Where calls may go: every way in which an address that is not everybody's can be written.
import { describe, expect, test } from 'vitest';
import { allowanceOf, type EgressAllowance, EgressRules } from '#src/message/egress-rules.js';

const rules = (allow: readonly string[] = [], changes: Partial<EgressAllowance> = {}) =>
  new EgressRules({ allow, ports: null, schemes: ['http', 'https'], ...changes });
const closed = rules();

describe('a URL is refused', () => {
  test.each([
    ['http://127.0.0.1/', 'a loopback address'],
    ['http://127.1/', 'a loopback address'],
    ['http://2130706433/', 'a loopback address'],
    ['http://0x7f000001/', 'a loopback address'],
    ['http://0x7f.0.0.1/', 'a loopback address'],
    ['http://0177.0.0.1/', 'a loopback address'],
    ['http://017700000001/', 'a loopback address'],
    ['http://127.0.0.1./', 'a loopback address'],
    ['http://１２７.０.０.１/', 'a loopback address'],
    ['http://127。0。0。1/', 'a loopback address'],
    ['http://%31%32%37.0.0.1/', 'a loopback address'],
    ['http://localhost/', 'a loopback address'],
    ['http://LOCALHOST./', 'a loopback address'],
    ['http://a.localhost:8080/', 'a loopback address'],
    ['http://[::1]/', 'a loopback address'],
    ['http://[0:0:0:0:0:0:0:1]/', 'a loopback address'],
    ['http://[::ffff:127.0.0.1]/', 'a loopback address'],
    ['http://[::ffff:7f00:1]/', 'a loopback address'],
    ['http://[::ffff:8.8.8.8]/', 'in the form of IPv6'],
    ['http://[::ffff:0:127.0.0.1]/', 'leads to 127.0.0.1 (translated)'],
    ['http://[::127.0.0.1]/', 'leads to 127.0.0.1 (compatible)'],
    ['http://[64:ff9b::7f00:1]/', 'leads to 127.0.0.1 (NAT64)'],
    ['http://[64:ff9b::8.8.8.8]/', 'leads to 8.8.8.8 (NAT64)'],
    ['http://[64:ff9b:1::a00:1]/', 'leads to 10.0.0.1 (NAT64)'],
    ['http://[2002:7f00:1::]/', 'leads to 127.0.0.1 (6to4)'],
    ['http://[2001:0:1::1]/', '(Teredo)'],
    ['http://0.0.0.0/', 'an unspecified address'],
    ['http://0/', 'an unspecified address'],
    ['http://[::]/', 'an unspecified address'],
    ['http://10.0.0.1/', 'a private address'],
    ['http://172.16.0.1/', 'a private address'],
    ['http://172.31.255.255/', 'a private address'],
    ['http://192.168.1.1/', 'a private address'],
    ['http://[fc00::1]/', 'a private address'],
    ['http://[fd12:3456::1]/', 'a private address'],
    ['http://[fec0::1]/', 'a private address'],
    ['http://100.64.0.1/', 'an address of carrier-grade NAT'],
    ['http://100.127.255.255/', 'an address of carrier-grade NAT'],
    ['http://169.254.1.1/', 'a link-local address'],
    ['http://[fe80::1]/', 'a link-local address'],
    ['http://169.254.169.254/latest/meta-data', 'a metadata address'],
    ['http://[fd00:ec2::254]/', 'a metadata address'],
    ['http://100.100.100.200/', 'a metadata address'],
    ['http://168.63.129.16/', 'a metadata address'],
    ['http://[::ffff:a9fe:a9fe]/', 'a metadata address'],
    ['http://224.0.0.1/', 'a multicast address'],
    ['http://[ff02::1]/', 'a multicast address'],
    ['http://255.255.255.255/', 'a reserved address'],
    ['http://240.0.0.1/', 'a reserved address'],
    ['http://192.0.2.1/', 'a reserved address'],
    ['http://198.18.0.1/', 'a reserved address'],
    ['http://[2001:db8::1]/', 'a reserved address'],
    ['http://[100::1]/', 'a reserved address'],
    ['http://[4000::1]/', 'a reserved address'],
  ])('%s: %s', (url, reason) => {
    expect(closed.againstUrl(url)).toContain(reason);
  });

  test.each([
    'http://example.com@127.0.0.1/',
    'http://127.0.0.1:80@example.com/',
    'ftp://example.com/',
    'example.com',
    '',
  ])('%s is no URL of a call at all', (url) => {
    expect(closed.againstUrl(url)).toBe('it is no URL of a call');
  });

  test.each(['http://127.0.0.1\\@example.com/', 'http://127.0.0.1#@example.com/', 'http://127.0.0.1?@example.com/'])(
    '%s goes where its parser says',
    (url) => {
      expect(closed.againstUrl(url)).toContain('127.0.0.1');
    },
  );
});

test.each([
  'http://example.com/',
  'https://8.8.8.8/',
  'http://100.63.255.255/',
  'http://100.128.0.1/',
  'http://172.32.0.1/',
  'http://11.0.0.1/',
  'http://[2606:4700::1111]/',
  'http://localhost.example.com/',
  'http://127.0.0.1.example.com/',
])('%s is not', (url) => {
  expect(closed.againstUrl(url)).toBeNull();
});

describe('what is allowed', () => {
  test('ranges open what is in them, in both forms', () => {
    const open = rules(['127.0.0.0/8', '10.1.2.3', 'fd00::/8', '64:ff9b::/96']);
    expect(open.againstAddress('127.1.2.3', 'h')).toBeNull();
    expect(open.againstAddress('::ffff:127.0.0.1', 'h')).toBeNull();
    expect(open.againstAddress('10.1.2.3', 'h')).toBeNull();
    expect(open.againstAddress('10.1.2.4', 'h')).not.toBeNull();
    expect(open.againstAddress('fd00::1', 'h')).toBeNull();
    expect(open.againstAddress('::1', 'h')).not.toBeNull();
    expect(open.againstAddress('64:ff9b::8.8.8.8', 'h')).toBeNull();
    expect(open.againstAddress('64:ff9b::127.0.0.1', 'h')).toBeNull();
    expect(open.againstAddress('64:ff9b::10.0.0.1', 'h')).not.toBeNull();
  });

  test('a range of the one family opens nothing of the other', () => {
    expect(rules(['::/0']).againstAddress('127.0.0.1', 'h')).not.toBeNull();
    expect(rules(['0.0.0.0/0']).againstAddress('::1', 'h')).not.toBeNull();
    expect(rules(['::ffff:0:0/96']).againstAddress('10.0.0.1', 'h')).not.toBeNull();
  });

  test('a name opens private addresses, for itself only, and never link-local or metadata ones', () => {
    const open = rules(['hooks.internal', '*.corp']);
    for (const host of ['hooks.internal', 'HOOKS.internal.', 'a.b.corp']) {
      expect(open.againstAddress('10.0.0.1', host)).toBeNull();
      expect(open.againstAddress('127.0.0.1', host)).toBeNull();
      expect(open.againstAddress('100.64.0.1', host)).toBeNull();
      expect(open.againstAddress('fd00::1', host)).toBeNull();
      expect(open.againstAddress('169.254.169.254', host)).not.toBeNull();
      expect(open.againstAddress('fe80::1%eth0', host)).not.toBeNull();
      expect(open.againstAddress('0.0.0.0', host)).not.toBeNull();
    }
    for (const host of ['corp', 'evilcorp', 'x.hooks.internal', 'hooks.internal.evil.org', '10.0.0.1']) {
      expect(open.againstAddress('10.0.0.1', host)).not.toBeNull();
    }
  });

  test('localhost is open where one of its addresses is', () => {
    expect(rules(['127.0.0.1']).againstUrl('http://localhost/')).toBeNull();
    expect(rules(['::1']).againstUrl('http://localhost/')).toBeNull();
    expect(rules(['localhost']).againstUrl('http://localhost/')).toBeNull();
  });

  test('ports and schemes by list', () => {
    const some = rules([], {
      ports: [
        { first: 443, last: 443 },
        { first: 8000, last: 8999 },
      ],
      schemes: ['https'],
    });
    expect(some.againstUrl('https://example.com/')).toBeNull();
    expect(some.againstUrl('https://example.com:8443/')).toBeNull();
    expect(some.againstUrl('https://example.com:22/')).toBe('port 22 is none of egress.ports');
    expect(some.againstUrl('http://example.com:8080/')).toBe('http is none of egress.schemes');
  });
});

test.each([
  '10.0.0.0/8',
  '10.0.0.1',
  '::1',
  'fd00::/8',
  '0.0.0.0/0',
  'localhost',
  'hooks.internal',
  '*.internal',
  'xn--bcher-kva.example',
  'a_b.example',
])('%s can be allowed', (text) => {
  expect(allowanceOf(text)).not.toBeNull();
});

test.each<unknown>([
  '',
  '*',
  '*.',
  '10.0.0',
  '10.0.0.0/33',
  '10.0.0.0/',
  '10.0.0.0/8/8',
  '10.0.0.0/-1',
  '::1/129',
  'fe80::1%eth0',
  'a.*.b',
  'http://a.example',
  'a.example:80',
  'a b',
  5,
  null,
])('%j cannot', (text) => {
  expect(allowanceOf(text)).toBeNull();
});
