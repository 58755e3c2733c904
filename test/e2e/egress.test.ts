// Calls that would reach what only this machine and its network may: refused at the door, at the look-up, on every way round.
import { scryptSync } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePorts } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { type Letter, readLetters } from '../support/dead-letters-page.js';
import { DnsServer } from '../support/dns-server.js';
import { configCounters, replaceConfig } from '../support/live-config.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** The one address of loopback that calls may go to stands for the world outside. */
const outsideAddress = '127.0.0.2';
const insideAddress = '127.0.0.1';

/** Only stretched, and only for some receivers. */
const salt = 'saltsaltsalt';
const stretched = `scrypt:1024:8:1:${Buffer.from(salt).toString('hex')}:${scryptSync('narrow', salt, 32, { N: 1024, r: 8, p: 1 }).toString('hex')}`;
const callers = [
  { name: 'system-1', secret: 'i am good', topic: 'test' },
  { name: 'narrow', secret: stretched, topic: 'test', allow: ['http://*.test:*'] },
];

let outside: TargetServer;
let inside: TargetServer;
let dns: DnsServer;
let bigpipe: BigpipeProcess;

const config = (allow: readonly string[]) =>
  baseConfig({
    'kafka.producer.acl': callers,
    'egress.allow': allow,
    'egress.dns.servers': [dns.address],
    'kafka.topics': [{ name: 'test', partitions: 1 }],
  });

beforeAll(async () => {
  // The same port: a name that leads elsewhere leads there.
  const [port] = await freePorts(1);
  outside = await TargetServer.start(undefined, { host: outsideAddress, port });
  inside = await TargetServer.start(undefined, { host: insideAddress, port });
  dns = await DnsServer.start((name, nth) => {
    if (name.startsWith('inside6')) return ['::1'];
    if (name.startsWith('inside')) return [insideAddress];
    if (name.startsWith('both')) return [insideAddress, outsideAddress, '::1'];
    if (name.startsWith('metadata')) return ['169.254.169.254'];
    if (name.startsWith('flips')) return [nth === 0 ? outsideAddress : insideAddress];
    return name.startsWith('outside') ? [outsideAddress] : [];
  });
  bigpipe = await BigpipeProcess.start({ config: config([outsideAddress]) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await Promise.all([outside.close(), inside.close(), dns.close()]);
});

beforeEach(() => {
  outside.arrivals.length = 0;
  outside.script = (_arrival, response) => {
    response.end();
  };
});

const urlOf = (host: string, path = '/') => `http://${host}:${outside.port}${path}`;

async function accepted(url: string): Promise<string> {
  const answer = await bigpipe.call({ url });
  expect(answer.body.errno).toBe(0);
  return answer.headers.get('bigpipe-message-id') as string;
}

const letterOf = (id: string): Promise<Letter> =>
  until(`the dead letter of ${id}`, async () =>
    (await readLetters(bigpipe, '?limit=100')).find((letter) => letter.id === id),
  );

const arrived = (id: string) =>
  until(`${id} arrives`, () => outside.arrivals.find(({ headers }) => headers['bigpipe-message-id'] === id));

test.each([
  ['http://127.0.0.1:1/', 'url无效: 127.0.0.1 is a loopback address, and egress.allow does not name it'],
  ['http://0x7f.1:1/', 'url无效: 127.0.0.1 is a loopback address, and egress.allow does not name it'],
  ['http://[::ffff:127.0.0.1]/', 'url无效: ::ffff:7f00:1 is a loopback address, and egress.allow does not name it'],
  ['http://localhost./', 'url无效: 127.0.0.1 is a loopback address, and egress.allow does not name it'],
  ['http://169.254.169.254/', 'url无效: 169.254.169.254 is a metadata address, and egress.allow does not name it'],
])('the door refuses %s', async (url, msg) => {
  const answer = await bigpipe.call({ url });
  expect(answer.body).toEqual({ data: '', errno: -1, msg });
  expect(answer.headers.get('bigpipe-message-id')).toBeNull();
});

test('a caller calls only where it may', async () => {
  const acl = { name: 'narrow', secret: 'narrow' };
  const answers = [
    urlOf('outside.test'),
    urlOf('outside.test.example'),
    urlOf(outsideAddress),
    'http://127.0.0.1/',
  ].map(async (url) => (await bigpipe.call({ url, acl })).body.msg);
  expect(await Promise.all(answers)).toEqual(['发送成功', '权限错误', '权限错误', '权限错误']);
});

test('who may not call at all is not told which addresses are refused', async () => {
  const answer = await bigpipe.call({ url: 'http://127.0.0.1/', acl: { name: 'system-1', secret: 'no' } });
  expect(answer.body.msg).toBe('权限错误');
});

test.each([
  ['inside.test', '127.0.0.1 is a loopback address'],
  ['inside6.test', 'is a loopback address'],
  ['metadata.test', '169.254.169.254 is a metadata address'],
])('the name %s is looked up, refused at once and for good', async (host, reason) => {
  const { history } = await letterOf(await accepted(urlOf(host)));
  expect(history['reason']).toBe('rejected');
  expect(history['detail']).toContain(`the egress guard refuses ${host}: `);
  expect(history['detail']).toContain(`${reason}, and egress.allow does not name it`);
  expect(history['attempts']).toBe('1');
  expect(inside.arrivals).toEqual([]);
});

test('a name of which one address is allowed is called there', async () => {
  await arrived(await accepted(urlOf('both.test')));
  expect(inside.arrivals).toEqual([]);
});

test('a name is looked up once for a connection, which goes to what was checked', async () => {
  outside.script = (_arrival, response) => {
    response.setHeader('connection', 'close').end();
  };
  await arrived(await accepted(urlOf('flips.test')));
  expect(dns.asked.filter((name) => name === 'flips.test')).toEqual(['flips.test']);
  const { history } = await letterOf(await accepted(urlOf('flips.test')));
  expect(history['detail']).toContain('127.0.0.1 is a loopback address');
  expect(dns.asked.filter((name) => name === 'flips.test')).toHaveLength(2);
  expect(inside.arrivals).toEqual([]);
});

test.each([301, 302, 303, 307, 308])('a redirect (%i) to a private address is not followed', async (status) => {
  outside.script = (_arrival, response) => {
    response.writeHead(status, { location: `http://${insideAddress}:${inside.port}/secret` }).end();
  };
  const { history } = await letterOf(await accepted(urlOf('outside.test')));
  expect(history['status']).toBe(String(status));
  expect(inside.arrivals).toEqual([]);
});

test('new rules hold at once, also for connections that are open', async () => {
  const reloaded = async (allow: readonly string[]) => {
    const { changed } = await configCounters(bigpipe);
    await replaceConfig(bigpipe, config(allow));
    await until('the rules are in force', async () => (await configCounters(bigpipe)).changed > changed);
  };
  await arrived(await accepted(urlOf('outside.test', '/before')));
  await reloaded([insideAddress]);
  const { history } = await letterOf(await accepted(urlOf('outside.test', '/after')));
  expect(history['detail']).toContain(`${outsideAddress} is a loopback address`);
  expect(outside.arrivals.map(({ path }) => path)).toEqual(['/before']);
  const id = await accepted(urlOf('inside.test'));
  await until('it arrives inside', () => inside.arrivals.some(({ headers }) => headers['bigpipe-message-id'] === id));
});
