// Takes the deliveries under many addresses, behaves as it is told, and notes each one.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { destinationAt, readDigits, sequenceAt, sequenceDigits } from '../support/call-body.ts';
import { nowMs } from '../support/latency.ts';
import type { Behaviour, Noted, ScriptedReceiverCommands } from '../support/protocol.ts';
import { readRequests } from '../support/read-requests.ts';
import { serveCommands } from '../support/serve-commands.ts';

const good = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const bad = Buffer.from('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n');
const refusal = Buffer.from('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
const attemptMark = Buffer.from('bigpipe-attempt: ');
/** Every loopback address leads here; nobody else calls. */
const everywhere = '0.0.0.0';

let behaviour: Behaviour = { delayMs: 0, silentFrom: null, failing: 0 };
let server: Server | null = null;
let port = 0;
let answers = 0;
const sockets = new Set<Socket>();
const atMs: number[] = [];
const attempts: number[] = [];
const destinations: number[] = [];
const sequences: number[] = [];

function serve(socket: Socket): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  const destination = destinationAt(socket.localAddress ?? '');
  readRequests(socket, (bytes, bodyAt) => {
    atMs.push(nowMs());
    attempts.push((bytes[bytes.indexOf(attemptMark) + attemptMark.length] as number) - 48);
    destinations.push(destination);
    const sequence = readDigits(bytes, bodyAt + sequenceAt, sequenceDigits);
    sequences.push(sequence);
    const { delayMs, silentFrom } = behaviour;
    if (silentFrom !== null && destination >= silentFrom) return;
    const answer = nextAnswer(sequence);
    const reply = () => {
      if (!socket.destroyed) socket.write(answer);
    };
    if (delayMs === 0) reply();
    else setTimeout(reply, delayMs);
  });
}

function nextAnswer(sequence: number): Buffer {
  const { failing, refusedEvery } = behaviour;
  if (refusedEvery !== undefined && sequence % refusedEvery === 0) return refusal;
  answers += 1;
  return Math.floor(answers * failing) > Math.floor((answers - 1) * failing) ? bad : good;
}

function behave(request: Behaviour): null {
  behaviour = request;
  return null;
}

async function open(request: Behaviour): Promise<{ port: number }> {
  behave(request);
  await rise();
  return { port };
}

function rise(): Promise<null> {
  const rising = createServer(serve);
  server = rising;
  return new Promise((resolve, reject) => {
    rising.once('error', reject);
    rising.listen(port, everywhere, 4096, () => {
      port = (rising.address() as AddressInfo).port;
      resolve(null);
    });
  });
}

function die(): Promise<null> {
  return new Promise((resolve) => {
    server?.close(() => resolve(null));
    for (const socket of sockets) socket.resetAndDestroy();
  });
}

const noted = (): Noted => ({ atMs, attempt: attempts, destination: destinations, sequence: sequences });
const count = () => ({ arrived: atMs.length });

serveCommands<ScriptedReceiverCommands>({
  open,
  behave: async (request) => behave(request),
  die,
  rise,
  noted,
  count,
});
