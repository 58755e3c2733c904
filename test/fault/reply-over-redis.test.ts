// Callers wait in one process for what another delivers, over a real Redis that dies and comes back.
import { Agent, request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { commandsOf, countAnew } from '../support/redis-commands.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { untilServing } from '../support/workers.js';

const calls = Number(process.env['REPLY_CALLS'] ?? 300);
const inFlight = Math.min(200, calls);
const longestWaitS = 60;

type Answer = { readonly errno: number; readonly data: string } | null;

/** Calls over connections that are kept; null for one that broke. */
class Callers {
  waitS = longestWaitS;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: inFlight });

  constructor(
    private readonly ports: readonly number[],
    private readonly url: string,
  ) {}

  /** What the call with this data was answered. */
  call(data: string, at: number): Promise<Answer> {
    const acl = { name: 'system-1', secret: 'i am good' };
    const body = JSON.stringify({ acl, id: data, url: this.url, data, partition_key: '', wait: this.waitS });
    const { agent, ports } = this;
    return new Promise((resolve) => {
      const sent = request({ port: ports[at % ports.length], path: '/rpc/call', method: 'POST', agent }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on('end', () => resolve(JSON.parse(text) as Answer));
        answer.on('error', () => resolve(null));
      });
      sent.on('error', () => resolve(null));
      sent.end(body);
    });
  }

  /** All of them, so many at a time; `answered` is told of each. */
  async run(names: readonly string[], answered: (name: string, answer: Answer) => void): Promise<void> {
    let next = 0;
    const caller = async () => {
      for (let at = next++; at < names.length; at = next++) {
        const name = names[at] as string;
        answered(name, await this.call(name, at));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
  }

  close(): void {
    this.agent.destroy();
  }
}

const namesOf = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
const answerTo = ({ body }: Arrival) => `answer to ${body.toString()}`;

interface Fleet {
  readonly nodes: readonly BigpipeProcess[];
}

/** Doors in two processes, the log and the deliveries in a third. */
async function workerFleet(redis: RedisServer): Promise<Fleet> {
  const consumer = baseConsumer({ timeout: 60_000, concurrency: 500, ordering: 'none' });
  const bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'redis.url': redis.url,
      'http.server.workers': 2,
      'reply.max.wait': 1000 * longestWaitS,
      'kafka.consumer.list': [consumer],
    }),
  });
  await untilServing(bigpipe, 0);
  return { nodes: [bigpipe] };
}

describe.skipIf(!hasRedis)('callers wait in workers, the main process delivers', () => {
  let redis: RedisServer;
  let target: TargetServer;
  let fleet: Fleet;
  let callers: Callers;
  let round = 0;

  beforeEach(async () => {
    redis = await RedisServer.start();
    target = await TargetServer.start((arrival, response) => void response.end(answerTo(arrival)));
    fleet = await workerFleet(redis);
    callers = new Callers(
      fleet.nodes.map(({ port }) => port),
      target.url(),
    );
  }, 300_000);

  afterEach(async () => {
    callers.close();
    await Promise.all([...fleet.nodes.map((node) => node.dispose()), target.close(), redis.kill()]);
  }, 60_000);

  const isOwn = (name: string, answer: Answer) => answer?.data === `answer to ${name}`;
  /** Replies reach the processes that listen for them. */
  const warm = () =>
    until(
      'each process hears of its replies',
      async () => {
        round += 1;
        const asked = namesOf(`warm-${round}`, 8);
        const answers = await Promise.all(asked.map((name, at) => callers.call(name, at)));
        return asked.every((name, i) => isOwn(name, answers[i] ?? null));
      },
      120_000,
    );

  test('each call gets its own answer, told and not asked for, with three commands at most', async () => {
    await warm();
    await countAnew(redis.url);
    const wrong: [string, Answer][] = [];
    const names = namesOf('n', calls);
    await callers.run(names, (name, answer) => {
      if (!isOwn(name, answer)) wrong.push([name, answer]);
    });
    expect(wrong).toEqual([]);
    // The last ones may still be on their way to Redis.
    const kept = async () => (await commandsOf(redis.url)).get('set') ?? 0;
    await until('all replies are kept', async () => (await kept()) >= calls);
    const counts = await commandsOf(redis.url);
    const sum = [...counts.values()].reduce((all, count) => all + count, 0);
    expect(sum / calls).toBeLessThanOrEqual(3);
    expect(counts.get('get') ?? 0).toBe(0);
    expect([...counts.keys()].sort()).toEqual(['publish', 'set']);
  }, 300_000);

  test('Redis dies and comes back meanwhile: every call is taken and delivered, none gets another’s answer', async () => {
    await warm();
    // Whose reply was lost with Redis waits in vain.
    callers.waitS = 3;
    const names = namesOf('r', calls);
    const wrong: [string, Answer][] = [];
    let answered = 0;
    const running = callers.run(names, (name, answer) => {
      answered += 1;
      // Without Redis a caller may be answered as one who has not waited.
      if (answer?.errno !== 0 || (answer.data !== '' && !isOwn(name, answer))) wrong.push([name, answer]);
    });
    await until('calls flow', () => answered > calls / 8);
    await redis.kill();
    const before = target.countById().size;
    await until('calls flow on', () => target.countById().size > before + calls / 8, 60_000);
    await redis.begin();
    await running;
    expect(wrong).toEqual([]);
    await until('all are delivered', () => names.every((name) => target.countById().has(name)), 60_000);
    await warm();
  }, 400_000);
});

describe.skipIf(!hasRedis)('whoever holds the caller is killed', () => {
  test('what was waited for is delivered once', async () => {
    const redis = await RedisServer.start();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const target = await TargetServer.start(async (arrival, response) => {
      await released;
      response.end(answerTo(arrival));
    });
    const fleet = await workerFleet(redis);
    const [bigpipe] = fleet.nodes as [BigpipeProcess];
    const callers = new Callers([bigpipe.port], target.url());
    const names = namesOf('k', 50);
    const answers = Promise.all(names.map((name, at) => callers.call(name, at)));
    await until('all are at the receiver', () => target.countById().size === names.length);
    for (const pid of await untilServing(bigpipe, 0)) process.kill(pid, 'SIGKILL');
    expect(await answers).toEqual(names.map(() => null));
    release();
    await untilServing(bigpipe, 2);
    await until('all are delivered', async () => (await bigpipe.stats()).clientStats['test']?.['rpcSuccess'] === 50);
    expect([...target.countById().values()]).toEqual(names.map(() => 1));
    callers.close();
    await Promise.all([bigpipe.dispose(), target.close(), redis.kill()]);
  }, 200_000);
});
