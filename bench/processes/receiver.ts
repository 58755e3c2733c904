// Takes the deliveries: a raw server that reads requests by their content-length and answers 200.
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { readDigits, sequenceAt, sequenceDigits, timeDigits } from '../support/call-body.ts';
import { Latencies, nowMs, nowUs } from '../support/latency.ts';
import type { Arrivals, Gaps, ReceiverCommands } from '../support/protocol.ts';
import { readRequests } from '../support/read-requests.ts';
import { serveCommands } from '../support/serve-commands.ts';

const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const maxCalls = 100_000_000;
const awaitStepMs = 2;

let delayMs = 0;
let seen = new Uint8Array(65_536);
let arrived = 0;
let distinct = 0;
let repeated = 0;
let lastMs = 0;
const latencies = new Latencies();
const gapsUs = new Latencies();
const pauseUs = 50_000;
let pauses = 0;
let lastUs = 0;
let longestWaitUs = 0;

function reset(): null {
  seen = new Uint8Array(65_536);
  arrived = 0;
  distinct = 0;
  repeated = 0;
  latencies.reset();
  return null;
}

function note(bytes: Buffer, bodyAt: number): void {
  const us = nowUs();
  if (lastUs > 0) {
    gapsUs.record(us - lastUs);
    if (us - lastUs > pauseUs) pauses += 1;
  }
  lastUs = us;
  arrived += 1;
  lastMs = us / 1000;
  const sentUs = readDigits(bytes, bodyAt, timeDigits);
  const sequence = readDigits(bytes, bodyAt + sequenceAt, sequenceDigits);
  if (sentUs <= 0 || sequence < 0 || sequence >= maxCalls) return;
  latencies.record(us - sentUs);
  longestWaitUs = Math.max(longestWaitUs, us - sentUs);
  if (sequence >= seen.length) {
    const wider = new Uint8Array(Math.max(sequence + 1, seen.length * 2));
    wider.set(seen);
    seen = wider;
  }
  if (seen[sequence] === 1) repeated += 1;
  else distinct += 1;
  seen[sequence] = 1;
}

function serve(socket: Socket): void {
  const reply = () => {
    if (!socket.destroyed) socket.write(answer);
  };
  readRequests(socket, (bytes, bodyAt) => {
    note(bytes, bodyAt);
    if (delayMs === 0) reply();
    else setTimeout(reply, delayMs);
  });
}

function takeGaps(): Gaps {
  const taken = { ...gapsUs.summary(), pauses, longestWaitMs: longestWaitUs / 1000 };
  gapsUs.reset();
  longestWaitUs = 0;
  pauses = 0;
  lastUs = 0;
  return taken;
}

const count = (): Arrivals => ({ arrived, distinct, repeated, lastMs, latency: latencies.summary() });

async function awaitDistinct({ distinct: wanted, timeoutMs }: { distinct: number; timeoutMs: number }) {
  const endMs = nowMs() + timeoutMs;
  while (distinct < wanted && nowMs() < endMs) await new Promise((resolve) => setTimeout(resolve, awaitStepMs));
  return count();
}

function open(request: { delayMs: number; host: string }): Promise<{ port: number }> {
  delayMs = request.delayMs;
  const server = createServer(serve);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, request.host, 4096, () => resolve({ port: (server.address() as AddressInfo).port }));
  });
}

serveCommands<ReceiverCommands>({ open, reset, count, await: awaitDistinct, gaps: takeGaps });
