// Who is let in, with which secrets, and what one who guesses gets.
import { createHash, scryptSync } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Acl } from '#src/acl/acl.js';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { baseConfig } from '../../support/bigpipe-process.js';
import { ConfigHome } from '../../support/config-home.js';

let home: ConfigHome;
beforeEach(() => {
  home = new ConfigHome();
});
afterEach(() => home.dispose());

type Entry = Record<string, unknown>;

const config = (...acl: Entry[]) => ({
  ...baseConfig(),
  'kafka.topics': [
    { name: 'test', partitions: 1 },
    { name: 'other', partitions: 1 },
    { name: 'third', partitions: 1 },
  ],
  'kafka.producer.acl': acl.map((entry) => ({ name: 'shop', topic: 'test', ...entry })),
});

function open(...acl: Entry[]): { acl: Acl; watch: ConfigWatch } {
  const watch = home.open(config(...acl));
  const opened = new Acl(watch, home.clock);
  watch.register(opened);
  return { acl: opened, watch };
}

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const scrypt = (text: string) =>
  `scrypt:1024:8:1:${Buffer.from('saltsalt').toString('hex')}:${scryptSync(text, 'saltsalt', 32, { N: 1024, r: 8, p: 1 }).toString('hex')}`;

test.each([
  ['plain', (text: string) => text],
  ['sha256', sha256],
  ['scrypt', scrypt],
])('a %s secret lets its owner in, and nobody else', async (_kind, form) => {
  const { acl } = open({ secret: form('right') });
  expect((await acl.check('shop', 'right'))?.topic).toBe('test');
  expect(await acl.check('shop', 'wrong')).toBeNull();
  expect(await acl.check('shop', form('right') === 'right' ? '' : form('right'))).toBeNull();
  expect(await acl.check('nobody', 'right')).toBeNull();
  expect(await acl.check('', '')).toBeNull();
});

test('each of several secrets is right, of whatever kind', async () => {
  const { acl } = open({ secrets: ['first', sha256('second'), scrypt('third')] });
  for (const secret of ['first', 'second', 'third']) expect((await acl.check('shop', secret))?.name).toBe('shop');
  expect(await acl.check('shop', 'fourth')).toBeNull();
});

test('only a stretched secret makes a caller wait, and only the first time', async () => {
  const { acl } = open({ secrets: ['plain', scrypt('slow')] });
  expect(acl.check('shop', 'plain')).not.toBeInstanceOf(Promise);
  const [first, second] = [acl.check('shop', 'slow', '10.0.0.1'), acl.check('shop', 'slow', '10.0.0.2')];
  expect(first).toBeInstanceOf(Promise);
  expect((await first)?.name).toBe('shop');
  expect((await second)?.name).toBe('shop');
  expect(acl.check('shop', 'slow', '10.0.0.1')).not.toBeInstanceOf(Promise);
  expect(acl.check('shop', 'slow', '10.0.0.3')).not.toBeInstanceOf(Promise);
});

test('names and secrets are told apart where they meet', async () => {
  const { acl } = open({ name: 'ab', secret: 'c' }, { name: 'a', secret: 'xbc' });
  expect(await acl.check('ab', 'c')).not.toBeNull();
  expect(await acl.check('a', 'bc')).toBeNull();
  expect(await acl.check('abc', '')).toBeNull();
});

test('a secret that is taken out is wrong from then on, also for who was let in with it', async () => {
  const { acl, watch } = open({ secrets: ['old', 'new'] });
  expect(await acl.check('shop', 'old')).not.toBeNull();
  home.write(config({ secrets: ['new'], topic: 'other' }));
  expect(await watch.reload()).toBe('changed');
  expect(await acl.check('shop', 'old')).toBeNull();
  expect((await acl.check('shop', 'new'))?.topic).toBe('other');
});

test('a stretched secret that is taken out while it is being looked at lets nobody in', async () => {
  const { acl, watch } = open({ secret: scrypt('old') });
  const waiting = acl.check('shop', 'old');
  acl.adjust({ ...watch.settings, acl: [] }, watch.settings);
  expect(await waiting).toBeNull();
  expect(await acl.check('shop', 'old')).toBeNull();
});

test('topics beyond the own one, and nothing else', async () => {
  const { acl } = open({ secret: 's', topics: ['other'] });
  const caller = await acl.check('shop', 's');
  expect(['test', 'other', 'third', ''].map((topic) => caller?.mayWrite(topic))).toEqual([true, true, false, false]);
});

test('URLs that a caller may call', async () => {
  const { acl } = open(
    { secret: 's', allow: ['https://*.example.com', 'http://10.0.0.7:*'] },
    { name: 'any', secret: 's' },
  );
  const caller = await acl.check('shop', 's');
  const may = (url: string) => caller?.mayCall(url);
  expect(may('https://api.example.com/pay?x=1')).toBe(true);
  expect(may('http://10.0.0.7:8080/')).toBe(true);
  expect(may('https://example.com/')).toBe(false);
  expect(may('https://api.example.com.evil.org/')).toBe(false);
  expect(may('https://evil.org/?https://api.example.com')).toBe(false);
  expect(may('https://api.example.com@evil.org/')).toBe(false);
  expect(may('no url')).toBe(false);
  expect((await acl.check('any', 's'))?.mayCall('http://anywhere.org/')).toBe(true);
});

test('who guesses from one address is stopped; others, and who was let in there before, are not', async () => {
  const { acl } = open({ secret: 'right' });
  expect(await acl.check('shop', 'right', '192.0.2.1')).not.toBeNull();
  for (let i = 0; i < 100; i += 1) expect(await acl.check('shop', `guess ${i}`, '192.0.2.2')).toBeNull();
  expect(await acl.check('shop', 'right', '192.0.2.2')).toBeNull();
  expect(await acl.check('shop', 'right', '192.0.2.1')).not.toBeNull();
  expect(await acl.check('shop', 'right', '192.0.2.3')).not.toBeNull();
  home.clock.advance(10_000);
  expect(await acl.check('shop', 'right', '192.0.2.2')).not.toBeNull();
});

test('who guesses from many addresses of one IPv6 network is one', async () => {
  const { acl } = open({ secret: 'right' });
  for (let i = 0; i < 30; i += 1)
    expect(await acl.check('shop', `guess ${i}`, `2001:db8::${i.toString(16)}`)).toBeNull();
  expect(await acl.check('shop', 'right', '2001:db8:0:0:1:2:3:4')).toBeNull();
  expect(await acl.check('shop', 'right', '2001:db8:0:1::1')).not.toBeNull();
});

test('who guesses one name from everywhere is stopped, and shuts nobody out who is in', async () => {
  const { acl } = open({ secret: 'right' }, { name: 'other', secret: 'right' });
  expect(await acl.check('shop', 'right', '192.0.2.1')).not.toBeNull();
  for (let i = 0; i < 200; i += 1) expect(await acl.check('shop', `guess ${i}`, `198.51.100.${i}`)).toBeNull();
  expect(await acl.check('shop', 'right', '203.0.113.1')).toBeNull();
  expect(await acl.check('shop', 'right', '192.0.2.1')).not.toBeNull();
  expect(await acl.check('other', 'right', '203.0.113.1')).not.toBeNull();
});

test('a right secret costs nothing of what wrong ones are counted by', async () => {
  const { acl } = open({ secrets: ['right', scrypt('slow')] });
  for (let i = 0; i < 300; i += 1) {
    expect(await acl.check('shop', 'right', `192.0.2.${i}`)).not.toBeNull();
    expect(await acl.check('shop', 'slow', `192.0.2.${i}`)).not.toBeNull();
  }
  const many = Array.from({ length: 50 }, () => acl.check('shop', 'slow', '203.0.113.1'));
  for (const each of many) expect(await each).not.toBeNull();
});
