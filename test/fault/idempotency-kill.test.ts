// Calls with idempotency keys, each sent twice at once and again after kills and restarts: every one is stored once.
import { Agent, request } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { goodCaller } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** CALLS=10000 for the whole of it. */
const calls = Number(process.env['CALLS'] ?? 2000);
const pairs = 16;
const kills = 3;

let target: TargetServer;
let bigpipe: BigpipeProcess;

const config = () =>
  baseConfig({ 'kafka.consumer.list': [baseConsumer({ url: target.url(), concurrency: 64, timeout: 20_000 })] });

beforeEach(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: config() });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

interface Answer {
  /** 0: none came. */
  readonly status: number;
  readonly id: string;
  readonly isReplay: boolean;
}

/** Over one connection. */
function sendOver(agent: Agent, i: number): Promise<Answer> {
  const headers = {
    authorization: goodCaller,
    'bigpipe-topic': 'test',
    'bigpipe-key': `key ${i % 100}`,
    'idempotency-key': `call ${i}`,
    'content-length': String(`${i}`.length),
  };
  return new Promise((resolve) => {
    const none = () => resolve({ status: 0, id: '', isReplay: false });
    const outgoing = request(`${bigpipe.origin}/v1/messages`, { method: 'POST', headers, agent }, (response) => {
      response.resume();
      response.once('error', none);
      response.once('end', () => {
        const { 'bigpipe-message-id': id, 'idempotency-replayed': replayed } = response.headers;
        resolve({ status: response.statusCode ?? 0, id: String(id ?? ''), isReplay: replayed === 'true' });
      });
    });
    outgoing.once('error', none);
    outgoing.end(`${i}`);
  });
}

/** Each of these twice at once, from two connections; resolves to the answers of both. */
async function sendTwice(
  numbers: readonly number[],
  answered: (i: number, answers: readonly Answer[]) => void,
  goesOn = () => true,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    const agents = [0, 1].map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
    while (next < numbers.length && goesOn()) {
      const i = numbers[next] as number;
      next += 1;
      answered(i, await Promise.all(agents.map((agent) => sendOver(agent, i))));
    }
    for (const agent of agents) agent.destroy();
  };
  await Promise.all(Array.from({ length: pairs }, worker));
}

const restart = async (signal: NodeJS.Signals) => {
  await bigpipe.end(signal);
  const { directory } = bigpipe;
  bigpipe = await BigpipeProcess.start({ directory });
};

test('each call twice at once, through kills and restarts', async () => {
  const ids = new Map<number, Set<string>>();
  const note = (i: number, answers: readonly Answer[]) => {
    for (const { status, id } of answers) {
      // 0: killed meanwhile; 409: the other one is being stored.
      expect([0, 202, 409]).toContain(status);
      if (status === 202) ids.set(i, (ids.get(i) ?? new Set()).add(id));
    }
  };
  const open = () => Array.from({ length: calls }, (_, i) => i).filter((i) => !ids.has(i));

  for (let kill = 0; kill < kills; kill += 1) {
    const before = ids.size;
    let isKilled = false;
    const sending = sendTwice(open(), note, () => !isKilled);
    await until('some are stored', () => ids.size >= before + calls / (kills + 2));
    const restarted = restart('SIGKILL');
    isKilled = true;
    await Promise.all([restarted, sending]);
  }
  while (open().length > 0) await sendTwice(open(), note);

  // Again after a clean end: all are known.
  await restart('SIGTERM');
  let replayed = 0;
  await sendTwice(
    Array.from({ length: calls }, (_, i) => i),
    (i, answers) => {
      note(i, answers);
      replayed += answers.filter(({ isReplay }) => isReplay).length;
    },
  );
  expect(replayed).toBe(2 * calls);
  expect([...ids.values()].filter(({ size }) => size !== 1)).toEqual([]);

  // What arrived twice is one message, sent again after a kill; no call became two.
  const arrived = new Map<string, Set<string>>();
  const all = () => {
    for (const { body, headers } of target.arrivals) {
      const text = body.toString();
      arrived.set(text, (arrived.get(text) ?? new Set()).add(String(headers['bigpipe-message-id'])));
    }
    return arrived.size === calls;
  };
  await until('all have arrived', all, 60_000);
  expect([...arrived.values()].filter(({ size }) => size !== 1)).toEqual([]);
  for (const [text, [id]] of arrived) expect(ids.get(Number(text))?.has(id as string)).toBe(true);
  const unnamed = repeats(target).filter((redelivery) => redelivery !== 'crash');
  expect(unnamed).toEqual([]);
}, 300_000);

/** What each arrival but the first of its id says of itself. */
function repeats({ arrivals }: TargetServer): unknown[] {
  const seen = new Set<unknown>();
  return arrivals.flatMap(({ headers }) => {
    const id = headers['bigpipe-message-id'];
    if (seen.has(id)) return [headers['bigpipe-redelivery']];
    seen.add(id);
    return [];
  });
}
