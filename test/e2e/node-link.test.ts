// One node asks another over TLS: it trusts whom its receivers' authorities have signed, and shows its listener's certificate.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Settings, TlsFileNames } from '#src/config-watch/settings.js';
import { NodeLink } from '#src/target/mailbox/node-link.js';
import { Authority, type Certificate } from '../support/certificates.js';

let authority: Authority;
let server: Server;
let certificate: Certificate;

beforeEach(async () => {
  authority = new Authority();
  certificate = authority.issue('a node');
  const { cert, key } = certificate;
  const tls = { cert, key, ca: authority.ca, requestCert: true, rejectUnauthorized: true };
  server = createServer(tls, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(`${request.method} ${request.url} ${Buffer.concat(parts).toString()} ${String(subject.CN)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  authority.dispose();
});

function linkOf(tls: TlsFileNames | null, caFile: string | null): NodeLink {
  const { port } = server.address() as AddressInfo;
  const settings = { egress: { tls: { caFile } }, server: { tls } } as Pick<Settings, 'egress' | 'server'>;
  return new NodeLink(`https://127.0.0.1:${port}`, settings);
}

const post = (link: NodeLink) =>
  link.post('/v1/subscriptions/G/ack', { 'x-own': 'y' }, Buffer.from('{}'), new AbortController().signal);

test('a node that both trust is answered', async () => {
  const { certFile, keyFile } = certificate;
  const link = linkOf({ certFile, keyFile, caFile: null }, authority.caFile);
  const { status, body } = await post(link);
  link.close();
  expect([status, body.toString()]).toEqual([200, 'POST /v1/subscriptions/G/ack {} a node']);
});

test('who is not trusted is not asked, and who shows no certificate is not answered', async () => {
  const { certFile, keyFile } = certificate;
  const links = [linkOf({ certFile, keyFile, caFile: null }, null), linkOf(null, authority.caFile)];
  const ends = await Promise.allSettled(links.map(post));
  for (const link of links) link.close();
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
