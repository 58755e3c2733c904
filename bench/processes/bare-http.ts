// The limit of accepting: a bare node:http server that parses the same body and answers the same.
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BareHttpCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const good = Buffer.from(JSON.stringify({ data: '', errno: 0, msg: '发送成功' }));
const bad = Buffer.from(JSON.stringify({ data: '', errno: -1, msg: 'no call' }));

async function open({ syncFile, sharedPort }: BareHttpCommands['open']['request']): Promise<{ port: number }> {
  const file = syncFile === null ? null : await openFile(syncFile, 'w');
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      const call = JSON.parse(body.toString('utf8')) as { url?: unknown };
      const answer = typeof call.url === 'string' ? good : bad;
      const reply = () => {
        response.setHeader('content-type', 'application/json; charset=utf-8');
        response.setHeader('content-length', answer.length);
        response.end(answer);
      };
      if (file === null) reply();
      else void store(file, body).then(reply, () => response.destroy());
    });
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const at = { port: sharedPort ?? 0, host: '127.0.0.1', backlog: 4096, reusePort: sharedPort !== null };
    server.listen(at, () => resolve({ port: (server.address() as AddressInfo).port }));
  });
}

async function store(file: FileHandle, body: Buffer): Promise<void> {
  await file.write(body);
  await file.datasync();
}

serveCommands<BareHttpCommands>({ open });
