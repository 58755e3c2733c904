// Over TLS each connection made after a worker was replaced was closed with its first answer, as if it were an old one.
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Connections } from '#src/workers/connections.js';
import { Authority } from '../support/certificates.js';

test('only connections that were open when they were to be let go are ended with their next answer', async () => {
  const authority = new Authority();
  const { cert, key } = authority.issue('bigpipe');
  const server = createServer({ cert, key }, (_request, response) => response.end('ok'));
  const connections = new Connections(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.ca });
  const ask = () =>
    new Promise<string | undefined>((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port, agent }, (response) => {
        response.resume().once('end', () => resolve(response.headers.connection));
      });
      asking.once('error', reject).end();
    });
  try {
    const before = await ask();
    expect([before, connections.open]).toEqual(['keep-alive', 1]);
    connections.letGo();
    expect([await ask(), await ask(), await ask()]).toEqual(['close', 'keep-alive', 'keep-alive']);
  } finally {
    agent.destroy();
    server.close();
    authority.dispose();
  }
});
