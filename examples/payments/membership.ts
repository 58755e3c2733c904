// The receiver: counts what each user has paid, once for each message however often it comes.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { port: { type: 'string', default: '10002' } } });
const seen = new Set<string>();
const paid = new Map<string, number>();

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', 'application/json');
  if (request.method === 'GET') {
    response.end(JSON.stringify([...paid].map(([user, balance]) => ({ user, balance }))));
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { user, amount } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { user: string; amount: number };
  const id = String(request.headers['bigpipe-message-id']);
  if (!seen.has(id)) paid.set(user, (paid.get(user) ?? 0) + amount);
  seen.add(id);
  response.end('{}');
}

createServer((request, response) => void serve(request, response)).listen(Number(values.port), '127.0.0.1', () => {
  process.stdout.write(`membership: http://127.0.0.1:${values.port}/members\n`);
});
