// A receiver with nine tenths of all calls is dead for an hour of simulated time while calls keep coming: nobody else notices.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../support/fake-clock.js';
import { SimulatedBigpipe } from '../support/simulated-bigpipe.js';

/** HOUR_CALLS=1000000 takes some ten minutes. */
const calls = Number(process.env['HOUR_CALLS'] ?? 108_000);
const hourS = 3600;
const callsASecond = Math.round(calls / hourS);
const perSecond = 2000;
const breakPeriod = 10;
const recoverPeriod = 30;
const keys = 3000;
const connections = 8;
const stepMs = 100;
/** After the hour, where arrivals are counted. */
const fineStepMs = 20;
/** By simulated time; the disk works by the world's, in which a simulated second is a hundredth of one. */
const healthyWithinMs = 5000;
const memoryEveryS = 600;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

interface Receiver {
  readonly server: Server;
  readonly url: string;
}

let clock: FakeClock;
let bigpipe: SimulatedBigpipe;
let dead: Receiver;
let well: Receiver;
let callers: Caller[];
let isDead: boolean;
let attemptsWhileDead: number;
let faults: string[];
/** The number of each key's next call, and of the next one that is to be delivered: first the healthy one's keys, then the dead one's. */
let nextCall: Int32Array;
let nextDelivery: Int32Array;
/** Simulated milliseconds at which calls to the healthy one were taken: one for each key, since the next comes only behind it. */
let takenMs: Float64Array;
let latencies: number[];
let delivered: { well: number; dead: number };
/** Simulated milliseconds since the receiver came back, of each delivery to it. */
let backMs: number;
let arrivals: number[];

/** Calls over one connection, many at a time. */
class Caller {
  private text = '';
  private missing = 0;
  private done: () => void = () => undefined;

  constructor(private readonly socket: Socket) {
    let rest = '';
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      const parts = (rest + chunk.toString('latin1')).split('"errno":');
      // What the last one says may not be whole.
      rest = `"errno":${parts.at(-1)}`.slice(-20);
      if (parts.length === 1) return;
      this.missing -= parts.length - 1;
      rest = parts.at(-1)?.slice(-8) ?? '';
      for (const part of parts.slice(1)) if (!part.startsWith('0')) faults.push(`a call was refused: ${part}`);
      if (this.missing === 0) this.done();
    });
  }

  add(key: number, url: string, id: string): void {
    const acl = { name: 'system-1', secret: 'i am good' };
    const body = JSON.stringify({ acl, url, partition_key: `k${key}`, id, data: id });
    this.text += `POST /rpc/call HTTP/1.1\r\nhost: bigpipe\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    this.missing += 1;
  }

  /** Resolves once all are answered. */
  async flush(): Promise<void> {
    if (this.missing === 0) return;
    const done = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    this.socket.write(this.text);
    this.text = '';
    await done;
  }

  close(): void {
    this.socket.destroy();
  }
}

async function receiver(
  serve: (id: string, response: ServerResponse, request: IncomingMessage) => void,
): Promise<Receiver> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => serve(String(request.headers['bigpipe-message-id']), response, request));
  });
  server.keepAliveTimeout = 600_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('-') + 1));
const laneOf = (id: string) => Number(id.slice(1, id.lastIndexOf('-')));

function deliver(id: string): void {
  const lane = laneOf(id);
  if (numberOf(id) !== nextDelivery[lane]) faults.push(`${id} came when number ${nextDelivery[lane]} was next`);
  (nextDelivery[lane] as number) += 1;
}

beforeEach(async () => {
  isDead = true;
  attemptsWhileDead = 0;
  faults = [];
  nextCall = new Int32Array(2 * keys);
  nextDelivery = new Int32Array(2 * keys);
  takenMs = new Float64Array(2 * keys);
  latencies = [];
  delivered = { well: 0, dead: 0 };
  backMs = 0;
  arrivals = [];
  clock = new FakeClock(Date.now());
  well = await receiver((id, response) => {
    deliver(id);
    delivered.well += 1;
    latencies.push(clock.elapsedMs() - (takenMs[laneOf(id)] as number));
    response.end();
  });
  dead = await receiver((id, response, { socket }) => {
    if (isDead) {
      attemptsWhileDead += 1;
      socket.resetAndDestroy();
      return;
    }
    deliver(id);
    delivered.dead += 1;
    arrivals.push(clock.elapsedMs() - backMs);
    response.end();
  });
  bigpipe = await SimulatedBigpipe.start({
    consumer: {
      rateLimit: perSecond,
      burst: perSecond / 10,
      concurrency: 64,
      retries: 1000,
      circuitBreaker: { breakPeriod, recoverPeriod, winSize: 5, minStats: 20, healthRate: 0.8 },
    },
    backlog: [],
    clock,
    settings: { 'broker.embedded.fsync': false },
  });
  callers = await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(bigpipe.port, '127.0.0.1');
      await new Promise<void>((resolve) => socket.once('connect', resolve));
      return new Caller(socket);
    }),
  );
});

afterEach(async () => {
  for (const caller of callers) caller.close();
  await bigpipe.dispose();
  for (const { server } of [dead, well]) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

/** One second's calls, none of them of the same key, all answered. */
async function callForASecond(second: number): Promise<void> {
  for (let i = 0; i < callsASecond; i += 1) {
    const number = second * callsASecond + i;
    const isWell = number % 10 === 0;
    const key = Math.floor(number / 10) % keys;
    const lane = isWell ? key : keys + (number % keys);
    const id = `c${lane}-${nextCall[lane]}`;
    (nextCall[lane] as number) += 1;
    takenMs[lane] = clock.elapsedMs();
    (callers[i % connections] as Caller).add(lane % keys, isWell ? well.url : dead.url, id);
  }
  await Promise.all(callers.map((caller) => caller.flush()));
}

const mib = 2 ** 20;

/** What is in use, in MiB; the list of latencies left out. */
function memoryInUse(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external - 8 * latencies.length) / mib;
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;
}

/** The area under the ramp: from 1 a second to the full rate, by the same factor each second. */
function upTo(ms: number): number {
  const seconds = Math.max(0, ms / 1000);
  const growth = Math.log(perSecond) / recoverPeriod;
  const inside = Math.min(seconds, recoverPeriod);
  return Math.expm1(growth * inside) / growth + perSecond * (seconds - inside);
}

test('nobody else notices, memory is flat, and back again it gets all by the ramp in the order of its keys', async () => {
  const memory: number[] = [];
  const startedMs = performance.now();
  for (let second = 0; second < hourS; second += 1) {
    await callForASecond(second);
    await bigpipe.run(1000, undefined, stepMs);
    if (second % memoryEveryS === memoryEveryS - 1) memory.push(memoryInUse());
  }
  const toWell = Math.ceil((hourS * callsASecond) / 10);
  await bigpipe.run(healthyWithinMs, () => delivered.well === toWell, stepMs);
  const toDead = hourS * callsASecond - toWell;
  console.log(
    `an hour in ${((performance.now() - startedMs) / 1000).toFixed(0)} s: ${toWell} calls to the healthy one, ${delivered.well} delivered, ` +
      `after ${quantile(latencies, 0.5)} ms in the middle, ${quantile(latencies, 0.99)} ms for 99 %, ${quantile(latencies, 1)} ms at most; ` +
      `${toDead} to the dead one, ${attemptsWhileDead} attempts; MiB in use: ${memory.map((each) => each.toFixed(1)).join(' ')}`,
  );
  expect(faults).toEqual([]);
  expect(delivered).toEqual({ well: toWell, dead: 0 });
  expect(quantile(latencies, 1)).toBeLessThanOrEqual(healthyWithinMs);
  // After 20 minutes all windows are as full as they will be.
  expect(Math.max(...memory.slice(1))).toBeLessThanOrEqual(1.1 * (memory[1] as number));

  isDead = false;
  await bigpipe.run(2 * breakPeriod * 1000, () => delivered.dead > 0, fineStepMs);
  expect(delivered.dead).toBe(1);
  backMs = clock.elapsedMs();
  arrivals.length = 0;
  const fullMs = (recoverPeriod + (2 * toDead) / perSecond + 60) * 1000;
  await bigpipe.run(fullMs, () => delivered.dead === toDead, fineStepMs);
  const seconds = Array.from({ length: Math.ceil((arrivals.at(-1) ?? 0) / 1000) }, () => 0);
  for (const ms of arrivals) (seconds[Math.min(seconds.length - 1, Math.floor(ms / 1000))] as number) += 1;
  console.log(`back again, a second: ${seconds.join(' ')}`);
  expect(delivered.dead).toBe(toDead);
  expect(faults).toEqual([]);
  const above = seconds.map(
    (count, second) => count - 1.1 * (upTo((second + 1) * 1000) - upTo(second * 1000 - fineStepMs)),
  );
  expect(Math.max(...above)).toBeLessThanOrEqual(1);
  // Once it is recovered the disk does not hold it back.
  expect(Math.min(...seconds.slice(recoverPeriod + 1, -1))).toBeGreaterThanOrEqual(0.9 * perSecond);
}, 1_800_000);
