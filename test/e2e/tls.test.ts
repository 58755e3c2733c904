// TLS on both listeners and to receivers: who is let in, who is trusted, and certificates that change meanwhile.
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:https';
import { type AddressInfo, connect as dial } from 'node:net';
import { join } from 'node:path';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Authority, type Certificate } from '../support/certificates.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let ours: Authority;
let others: Authority;
let serverCertificate: Certificate;
let target: TargetServer;
const started: BigpipeProcess[] = [];
const closing: (() => void)[] = [];

beforeAll(async () => {
  ours = new Authority('ours');
  others = new Authority('others');
  serverCertificate = ours.issue('bigpipe');
  target = await TargetServer.start();
});

afterAll(async () => {
  ours.dispose();
  others.dispose();
  await target.close();
});

afterEach(async () => {
  for (const bigpipe of started.splice(0)) await bigpipe.dispose();
  for (const close of closing.splice(0)) close();
});

async function start(config: Config): Promise<BigpipeProcess> {
  const bigpipe = await BigpipeProcess.start({ config: baseConfig(config) });
  started.push(bigpipe);
  return bigpipe;
}

interface Asked {
  readonly path?: string;
  readonly body?: string;
  readonly client?: Certificate;
  readonly ca?: string;
}

/** The answer's text; rejects when there is no connection. */
function ask(port: number, { path = '/livez', body, client, ca = ours.ca }: Asked): Promise<string> {
  const method = body === undefined ? 'GET' : 'POST';
  const shown = client === undefined ? {} : { cert: client.cert, key: client.key };
  return new Promise((resolve, reject) => {
    const asking = request({ host: '127.0.0.1', port, path, method, ca, agent: false, ...shown }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

const callTo = (url: string) =>
  JSON.stringify({ acl: { name: 'system-1', secret: 'i am good' }, partition_key: '', data: 'x', url });

const tlsOf = (place: string, { certFile, keyFile }: Certificate) => ({
  [`${place}.cert`]: certFile,
  [`${place}.key`]: keyFile,
});

test('calls and pages come in over TLS, and not without it', async () => {
  const bigpipe = await start({
    ...tlsOf('http.server.tls', serverCertificate),
    ...tlsOf('management.tls', serverCertificate),
  });
  expect(await ask(bigpipe.port, { path: '/rpc/call', body: callTo(target.url('/tls')) })).toContain('"errno":0');
  await until('it arrives', () => target.arrivals.some(({ path }) => path === '/tls'));
  expect(await ask(bigpipe.managementPort, { path: '/config' })).toContain('"version":1');
  await expect(ask(bigpipe.port, { ca: others.ca })).rejects.toThrow();
  await expect(fetch(`${bigpipe.origin}/livez`)).rejects.toThrow();
  await expect(fetch(`${bigpipe.management}/livez`)).rejects.toThrow();
  expect(await bigpipe.end('SIGTERM')).toBe(0);
});

test('where clients must show a certificate, only those of the authority get in', async () => {
  const bigpipe = await start({
    ...tlsOf('http.server.tls', serverCertificate),
    'http.server.tls.client.ca': ours.caFile,
    ...tlsOf('management.tls', serverCertificate),
    'management.tls.client.ca': others.caFile,
  });
  const [client, stranger] = [ours.issue('a client'), others.issue('a stranger')];
  const body = callTo(target.url());
  expect(await ask(bigpipe.port, { path: '/rpc/call', body, client })).toContain('"errno":0');
  await expect(ask(bigpipe.port, {})).rejects.toThrow();
  await expect(ask(bigpipe.port, { client: stranger })).rejects.toThrow();
  expect(await ask(bigpipe.managementPort, { path: '/config', client: stranger })).toContain('"version":1');
  await expect(ask(bigpipe.managementPort, { client })).rejects.toThrow();
});

function tlsSocket(port: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ca: ours.ca }, () => resolve(socket));
    socket.once('error', reject);
    closing.push(() => socket.destroy());
  });
}

async function shownBy(port: number): Promise<PeerCertificate> {
  const socket = await tlsSocket(port);
  const certificate = socket.getPeerCertificate();
  socket.destroy();
  return certificate;
}

test('a certificate that is replaced is shown to whoever comes then; a broken one changes nothing', async () => {
  const [first, second] = [ours.issue('first'), ours.issue('second')];
  const [cert, key] = ['live.pem', 'live.key'].map((name) => join(ours.directory, name)) as [string, string];
  const put = (from: Certificate) => {
    copyFileSync(from.keyFile, key);
    copyFileSync(from.certFile, cert);
  };
  put(first);
  const bigpipe = await start({ 'http.server.tls.cert': cert, 'http.server.tls.key': key });
  const kept = await tlsSocket(bigpipe.port);
  expect(kept.getPeerCertificate().subject.CN).toBe('first');
  put(second);
  await until('the second one is shown', async () => (await shownBy(bigpipe.port)).subject.CN === 'second');
  let answer = '';
  kept.on('data', (bytes: Buffer) => {
    answer += bytes.toString();
  });
  kept.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('the old connection is served', () => answer.includes('200 OK'));
  writeFileSync(cert, 'no certificate');
  const refused = (line: Record<string, unknown>) => String(line['msg']).startsWith('certificates refused');
  await until('the log says so', () => bigpipe.log.some(refused));
  expect((await shownBy(bigpipe.port)).subject.CN).toBe('second');
  // A key that is not its own.
  put({ ...first, certFile: second.certFile });
  await until('the log says so again', () =>
    bigpipe.log.some((line) => refused(line) && String(line['fault']).includes('is not the key of')),
  );
  expect((await shownBy(bigpipe.port)).subject.CN).toBe('second');
});

test.each([
  [
    'a certificate that is not there',
    () => ({ 'http.server.tls.cert': '/nowhere/c.pem', 'http.server.tls.key': 'k' }),
    '/nowhere/c.pem cannot be used',
  ],
  [
    'a certificate without a key',
    () => ({ 'management.tls.cert': 'c.pem' }),
    'management.tls.key: found nothing beside management.tls.cert',
  ],
  [
    'an authority without a certificate',
    () => ({ 'http.server.tls.client.ca': 'c.pem' }),
    'http.server.tls.cert: found nothing beside http.server.tls.client.ca',
  ],
  [
    'a key of another certificate',
    () => ({ 'egress.tls.cert': serverCertificate.certFile, 'egress.tls.key': others.issue('x').keyFile }),
    'is not the key of',
  ],
  ['an authority that is none', () => ({ 'egress.tls.ca': serverCertificate.keyFile }), 'cannot be used'],
])('%s is a fault of the configuration', async (_what, config, fault) => {
  const refused = await BigpipeProcess.spawn({ config: baseConfig(config()) });
  started.push(refused);
  expect(await refused.exited).toBe(78);
  await until('it says why', () => refused.stderr.join('\n').includes(fault));
});

test('who connects and does not shake hands is cut', async () => {
  const bigpipe = await start({ ...tlsOf('http.server.tls', serverCertificate), 'http.server.read.timeout': 500 });
  const silent = dial({ port: bigpipe.port, host: '127.0.0.1' });
  closing.push(() => silent.destroy());
  await until('it is cut', () => silent.closed || silent.destroyed || silent.readableEnded);
});

interface Seen {
  readonly path: string | undefined;
  readonly client: string | string[] | undefined;
  readonly isAuthorized: boolean;
}

/** A receiver that asks for a certificate and takes calls without one too. */
async function tlsReceiver(certificate: Certificate): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const { cert, key } = certificate;
  const options = { cert, key, ca: ours.ca, requestCert: true, rejectUnauthorized: false };
  const server: Server = createServer(options, (incoming, response) => {
    const socket = incoming.socket as TLSSocket;
    seen.push({ path: incoming.url, client: socket.getPeerCertificate().subject?.CN, isAuthorized: socket.authorized });
    incoming.resume().on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

test('a receiver is trusted by the authority that is named, and shown our certificate where it may be', async () => {
  const [named, unnamed, foreign] = [
    await tlsReceiver(ours.issue('named')),
    await tlsReceiver(ours.issue('unnamed')),
    await tlsReceiver(others.issue('foreign')),
  ];
  const bigpipe = await start({
    'kafka.consumer.list': [baseConsumer({ retries: 0 })],
    'egress.tls.ca': ours.caFile,
    ...tlsOf('egress.tls', ours.issue('our own name')),
    'egress.tls.origins': [named.url],
  });
  for (const { url } of [named, unnamed, foreign])
    expect((await bigpipe.call({ url: `${url}/hook` })).body.errno).toBe(0);
  await until('two are called', () => named.seen.length + unnamed.seen.length === 2);
  expect(named.seen).toEqual([{ path: '/hook', client: 'our own name', isAuthorized: true }]);
  expect(unnamed.seen).toEqual([{ path: '/hook', client: undefined, isAuthorized: false }]);
  await until('the third is given up', async () => (await bigpipe.stats()).clientStats['test']?.['deadLetters'] === 1);
  expect(foreign.seen).toEqual([]);
});

test('a certificate for receivers that is replaced is shown from then on', async () => {
  const receiver = await tlsReceiver(ours.issue('receiver'));
  const [first, second] = [ours.issue('first'), ours.issue('second')];
  const [cert, key] = ['own.pem', 'own.key'].map((name) => join(ours.directory, name)) as [string, string];
  copyFileSync(first.keyFile, key);
  copyFileSync(first.certFile, cert);
  const bigpipe = await start({ 'egress.tls.ca': ours.caFile, 'egress.tls.cert': cert, 'egress.tls.key': key });
  const shown = async () => {
    const { length } = receiver.seen;
    await bigpipe.call({ url: receiver.url });
    await until('it arrives', () => receiver.seen.length > length);
    return receiver.seen.at(-1)?.client;
  };
  expect(await shown()).toBe('first');
  copyFileSync(second.keyFile, key);
  copyFileSync(second.certFile, cert);
  await until('the second one is shown', async () => (await shown()) === 'second');
});
