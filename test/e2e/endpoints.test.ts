// A group of receivers: every message to one of them, elsewhere when that one fails, in order for each key; changed while it runs.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { replaceConfig, untilCounted } from '../support/live-config.js';
import { send } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let targets: TargetServer[];

beforeEach(async () => {
  targets = await Promise.all([1, 2, 3].map(() => TargetServer.start()));
});

afterEach(async () => {
  await bigpipe.dispose();
  await Promise.all(targets.map((target) => target.close()));
});

const configOf = (used: readonly number[], consumer: Config = {}): Config =>
  baseConfig({
    'kafka.consumer.list': [
      baseConsumer({
        retries: 20,
        endpoints: used.map((i) => ({ url: targets[i]?.url('/hook') })),
        ...consumer,
      }),
    ],
  });

async function publish(id: string, key = ''): Promise<void> {
  const { status } = await send(bigpipe, { 'bigpipe-topic': 'test', 'bigpipe-message-id': id, 'bigpipe-key': key }, id);
  expect(status).toBe(202);
}

/** Ids in the order in which they were taken. */
const taken: string[] = [];
const take = (id: string) => taken.push(id);

test('each message once, in order for each key, while one endpoint fails and others come and go', async () => {
  taken.length = 0;
  for (const [i, target] of targets.entries()) {
    target.script = ({ body }, response) => {
      // The first one is ill.
      if (i === 0) return void response.writeHead(500).end();
      take(body.toString());
      response.end();
    };
  }
  bigpipe = await BigpipeProcess.start({ config: configOf([0, 1]) });
  const keys = ['a', 'b', 'c', 'd'];
  let changes = 0;
  for (let round = 0; round < 10; round += 1) {
    for (const key of keys) await publish(`${key}-${round}`, key);
    if (round % 3 !== 2) continue;
    await replaceConfig(bigpipe, configOf(changes % 2 === 0 ? [0, 2] : [0, 1, 2]));
    changes += 1;
    await untilCounted(bigpipe, 'changed', changes);
  }
  await until('all have been taken', () => new Set(taken).size === 40, 60_000);
  expect(taken).toHaveLength(40);
  for (const key of keys)
    expect(taken.filter((id) => id.startsWith(key))).toEqual(Array.from({ length: 10 }, (_, i) => `${key}-${i}`));
  expect(targets[2]?.arrivals.length).toBeGreaterThan(0);
  expect(targets[1]?.arrivals[0]?.path).toBe('/hook');
});
