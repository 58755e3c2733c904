// Appends over a worker's link keep the promises of the port; all else goes to the broker at its other end, as in the program.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import { RemoteBroker } from '#src/broker/drivers/remote/remote.broker.js';
import { RemoteAppends } from '#src/broker/drivers/remote/remote-appends.js';
import { factsOf } from '#src/broker/remote.module.js';
import { SystemClock } from '#src/message/clock.js';
import { Admission } from '#src/producer/admission.js';
import { AppendedThrough } from '../support/appended-through.js';
import { brokerSuite } from './broker.suite.js';

const servers: { server: Server; directory: string }[] = [];

/** Both ends of a socket such as there is between two processes. */
async function link(): Promise<[Socket, Socket]> {
  const directory = await mkdtemp(join(tmpdir(), 'bigpipe-link-'));
  const path = join(directory, 'link');
  const server = createServer();
  servers.push({ server, directory });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const socket = connect(path);
  return [socket, await accepted];
}

async function closeAll(): Promise<void> {
  for (const { server, directory } of servers.splice(0)) {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

afterAll(closeAll);

brokerSuite('remote', {
  make: async () => {
    const log = new MemoryBroker({ maxBytes: 67_108_864, clock: new SystemClock(), report: () => undefined });
    const [near, far] = await link();
    new RemoteAppends(far, log, new Admission(10_000, 67_108_864), (text, error) => {
      throw new Error(text, { cause: error });
    });
    return new AppendedThrough(new RemoteBroker(near, factsOf(log), new SystemClock()), log, () => near.destroy());
  },
  close: closeAll,
});
