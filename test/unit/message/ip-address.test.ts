// An IPv6 address in numbers, and the IPv4 one inside.
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carriedIPv4, groupsOf, networkOf } from '#src/message/ip-address.js';

test.each([
  ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
  ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
  ['1::', [1, 0, 0, 0, 0, 0, 0, 0]],
  ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
  ['2001:DB8::ff:1%eth0', [0x2001, 0xdb8, 0, 0, 0, 0, 0xff, 1]],
  ['::ffff:127.0.0.1', [0, 0, 0, 0, 0, 0xffff, 0x7f00, 1]],
  ['64:ff9b::10.1.2.3', [0x64, 0xff9b, 0, 0, 0, 0, 0xa01, 0x203]],
  ['1:2:3:4:5:6:7::', [1, 2, 3, 4, 5, 6, 7, 0]],
])('%s', (address, groups) => {
  expect(groupsOf(address)).toEqual(groups);
});

test('any address is what Node takes it for', () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      const groups = groupsOf(address);
      if (groups === null) throw new Error(`${address} is not read`);
      const list = new BlockList();
      list.addAddress(groups.map((each) => each.toString(16)).join(':'), 'ipv6');
      expect(list.check(address, 'ipv6')).toBe(true);
    }),
  );
});

test.each(['', '127.0.0.1', 'x', ':::', '1:2', '::1::', 'localhost'])('%j has no groups', (text) => {
  expect(groupsOf(text)).toBeNull();
});

test.each([
  ['::ffff:10.0.0.1', 'mapped', '10.0.0.1'],
  ['::ffff:0:10.0.0.1', 'translated', '10.0.0.1'],
  ['::10.0.0.1', 'compatible', '10.0.0.1'],
  ['64:ff9b::a00:1', 'NAT64', '10.0.0.1'],
  ['64:ff9b:1::10.0.0.1', 'NAT64', '10.0.0.1'],
  ['2002:a00:1::', '6to4', '10.0.0.1'],
  ['2001:0:4136:e378:8000:63bf:f5ff:fffe', 'Teredo', '10.0.0.1'],
])('%s carries %s %s', (text, by, address) => {
  expect(carriedIPv4(groupsOf(text) ?? [])).toEqual({ by, address });
});

test.each(['::', '::1', '2606:4700::1', 'fe80::1'])('%s carries none', (text) => {
  expect(carriedIPv4(groupsOf(text) ?? [])).toBeNull();
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8::1', '2001:db8:0:0'.replace('2001:db8', `${0x2001}:${0xdb8}`)],
  ['', ''],
  ['no address', 'no address'],
])('%s belongs to %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
