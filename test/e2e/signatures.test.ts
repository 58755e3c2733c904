// Signed deliveries, held against the public library and the standard's own words; and what is never forwarded.
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { configCounters, replaceConfig } from '../support/live-config.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const shared = () => `whsec_${randomBytes(32).toString('base64')}`;
const [oldSecret, newSecret] = [shared(), shared()];
const pair = generateKeyPairSync('ed25519');
const seedOf = (key: KeyObject) => Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
const privateSecret = `whsk_${seedOf(pair.privateKey).toString('base64')}`;

const config = (secrets: readonly string[] | null) =>
  baseConfig({
    'kafka.consumer.list': [
      baseConsumer({
        retryBackoff: { initialMs: 1100, maxMs: 1100, factor: 1, jitter: 'none' },
        ...(secrets === null ? {} : { signing: { secrets } }),
      }),
    ],
  });

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: config([oldSecret, privateSecret]) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

beforeEach(() => {
  target.arrivals.length = 0;
  target.script = (_arrival, response) => {
    response.end();
  };
});

async function arrivals(count: number, fields: Record<string, unknown> = {}): Promise<readonly Arrival[]> {
  const answer = await bigpipe.call({ url: target.url('/hook'), data: '{"what":"käse"}', ...fields });
  expect(answer.body.errno).toBe(0);
  const id = answer.headers.get('bigpipe-message-id');
  return until(`${count} attempts`, () => {
    const own = target.arrivals.filter(({ headers }) => headers['bigpipe-message-id'] === id);
    return own.length >= count ? own : null;
  });
}

const headersOf = ({ headers }: Arrival) => headers as Record<string, string>;

async function reload(secrets: readonly string[] | null): Promise<void> {
  const { changed } = await configCounters(bigpipe);
  await replaceConfig(bigpipe, config(secrets));
  await until('the secrets are in force', async () => (await configCounters(bigpipe)).changed > changed);
}

test('a shared secret: the library takes the request, and none that was changed', async () => {
  const [arrival] = (await arrivals(1)) as [Arrival];
  const webhook = new Webhook(oldSecret);
  expect(webhook.verify(arrival.body, headersOf(arrival))).toEqual({ what: 'käse' });
  expect(() => webhook.verify(`${arrival.body.toString()} `, headersOf(arrival))).toThrow('No matching signature');
  expect(() => webhook.verify(arrival.body, { ...headersOf(arrival), 'webhook-id': 'msg_2' })).toThrow('No matching');
  expect(() => new Webhook(newSecret).verify(arrival.body, headersOf(arrival))).toThrow('No matching signature');
  expect(arrival.headers['webhook-id']).toBe(arrival.headers['bigpipe-message-id']);
});

test('a key of ours: whoever has its public half can tell', async () => {
  const [{ headers, body }] = (await arrivals(1)) as [Arrival];
  const signature = String(headers['webhook-signature'])
    .split(' ')
    .find((each) => each.startsWith('v1a,'));
  const signed = Buffer.concat([
    Buffer.from(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.`),
    body,
  ]);
  const bytes = Buffer.from(String(signature).slice('v1a,'.length), 'base64');
  const publicKey = createPublicKey({ key: pair.publicKey.export({ format: 'jwk' }), format: 'jwk' });
  expect(verify(null, signed, publicKey, bytes)).toBe(true);
  expect(verify(null, Buffer.concat([signed, Buffer.from('x')]), publicKey, bytes)).toBe(false);
});

test('each attempt has its own time', async () => {
  target.script = (arrival, response) => {
    response.writeHead(arrival.headers['bigpipe-attempt'] === '1' ? 500 : 200).end();
  };
  const [first, second] = (await arrivals(2)) as [Arrival, Arrival];
  const [one, two] = [first, second].map(({ headers }) => Number(headers['webhook-timestamp'])) as [number, number];
  expect(two).toBeGreaterThan(one);
  expect(Math.abs(two - Date.now() / 1000)).toBeLessThan(60);
  expect(first.headers['webhook-id']).toBe(second.headers['webhook-id']);
  new Webhook(oldSecret).verify(second.body, headersOf(second));
});

test('secrets change without a gap: both sign for as long as both stand there', async () => {
  await reload([newSecret, oldSecret]);
  const [both] = (await arrivals(1)) as [Arrival];
  new Webhook(oldSecret).verify(both.body, headersOf(both));
  new Webhook(newSecret).verify(both.body, headersOf(both));
  await reload([newSecret]);
  const [after] = (await arrivals(1)) as [Arrival];
  new Webhook(newSecret).verify(after.body, headersOf(after));
  expect(() => new Webhook(oldSecret).verify(after.body, headersOf(after))).toThrow('No matching signature');
});

test('a caller cannot put a signature of its own beside ours; where nobody signs it may', async () => {
  const own = { 'webhook-id': 'x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,of-somebody-else', 'x-own': 'y' };
  const [signed] = (await arrivals(1, { headers: own })) as [Arrival];
  expect(signed.headers['webhook-id']).toBe(signed.headers['bigpipe-message-id']);
  expect(signed.headers['webhook-signature']).not.toContain('v1,of-somebody-else');
  expect(signed.headers['x-own']).toBe('y');
  await reload(null);
  const [bare] = (await arrivals(1)) as [Arrival];
  expect(bare.headers['webhook-signature']).toBeUndefined();
  const [passed] = (await arrivals(1, { headers: own })) as [Arrival];
  expect(passed.headers['webhook-signature']).toBe('v1,of-somebody-else');
});
