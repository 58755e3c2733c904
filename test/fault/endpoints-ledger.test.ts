// Endpoints come and go by their leases, also in the middle of a delivery, and the process is killed: nothing is lost, each key keeps its order, and what comes twice says so.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { send } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** More make a longer proof. */
const rounds = Number(process.env['ENDPOINT_ROUNDS'] ?? 2);
const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
const perRound = 10;

interface Arrived {
  readonly id: string;
  readonly redelivery: string | undefined;
}

let bigpipe: BigpipeProcess;
let targets: TargetServer[];
let arrived: Arrived[];

beforeEach(async () => {
  arrived = [];
  targets = await Promise.all(
    [0, 1, 2].map((i) =>
      TargetServer.start(({ headers, body }, response) => {
        arrived.push({ id: body.toString(), redelivery: headers['bigpipe-redelivery'] as string | undefined });
        // The last one answers when its lease may have ended.
        setTimeout(() => response.end(), i === 2 ? 1200 : 5);
      }),
    ),
  );
});

afterEach(async () => {
  await bigpipe.dispose();
  await Promise.all(targets.map((target) => target.close()));
});

const lease = (i: number, ttlSeconds: number) =>
  manage(bigpipe, 'POST', 'g/endpoints', { url: targets[i]?.url('/'), ttlSeconds });

async function publish(id: string, key: string): Promise<void> {
  const headers = { 'bigpipe-topic': 'test', 'bigpipe-message-id': id, 'bigpipe-key': key };
  expect((await send(bigpipe, headers, id)).status).toBe(202);
}

test('order and once, while endpoints come and go and the process is killed', async () => {
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'kafka.consumer.list': [] }) });
  await manage(bigpipe, 'PUT', 'g', { topic: 'test', choice: 'least-in-flight', retries: 50, timeout: 20_000 });
  for (let round = 0; round < rounds; round += 1) {
    await lease(0, 3600);
    await lease(2, 1);
    for (let n = 0; n < perRound; n += 1) {
      await Promise.all(keys.map((key) => publish(`${key}-${round * perRound + n}`, key)));
      if (n === 3) await lease(1, 3600);
      if (n === 6) await manage(bigpipe, 'DELETE', `g/endpoints?url=${encodeURIComponent(targets[0]?.url('/') ?? '')}`);
    }
    await bigpipe.end('SIGKILL');
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  }
  const all = rounds * perRound * keys.length;
  await until('all have come', () => new Set(arrived.map(({ id }) => id)).size === all, 60_000);
  const seen = new Set<string>();
  const firsts = arrived.filter(({ id }) => !seen.has(id) && seen.add(id) !== undefined);
  for (const key of keys) {
    const numbers = firsts.filter(({ id }) => id.startsWith(key)).map(({ id }) => Number(id.slice(2)));
    expect(numbers).toEqual(Array.from({ length: rounds * perRound }, (_, n) => n));
  }
  const repeats = arrived.filter((one) => !firsts.includes(one));
  expect(repeats.filter(({ redelivery }) => redelivery === undefined)).toEqual([]);
}, 180_000);
