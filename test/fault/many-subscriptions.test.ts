// Many subscriptions of one topic share its reading: through kills, and beside a slow one, each gets what it wants, and after an orderly end nothing comes again.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** MANY_SUBSCRIPTIONS makes it larger. */
const groups = Number(process.env['MANY_SUBSCRIPTIONS'] ?? 20);
const types = 6;
const callers = 8;
const kills = 2;
const perLife = 60;
/** Starts, and all that is left, on a machine that does much else. */
const boundMs = 240_000;

const typeOf = (group: number) => `type.${group % types}`;
const wantedBy = (group: number) => (group === 1 ? /^type\.[0-4]$/ : new RegExp(`^type\\.${group % types}$`));

function consumerOf(group: number): Config {
  const bindings = group === 1 ? [{ kind: 'regex', type: 'type\\.[0-4]' }] : [{ kind: 'direct', type: typeOf(group) }];
  // The slow one wants half of all and gets through little of it, so that it is behind all the time.
  const pace = group === 1 ? { rateLimit: 100, concurrency: 2 } : { concurrency: 4 };
  return baseConsumer({ groupId: `G${group}`, url: target.url(`/${group}`), bindings, ...pace });
}

const config = () =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 2 }],
    'kafka.consumer.list': Array.from({ length: groups }, (_, group) => consumerOf(group)),
    'commit.default.acks': -1,
  });

let target: TargetServer;
let bigpipe: BigpipeProcess | undefined;
/** Answered with success: its type by its body. */
const accepted = new Map<string, string>();
/** Nobody knows of these. */
const unknown = new Map<string, string>();

beforeAll(async () => {
  target = await TargetServer.start();
});

afterAll(async () => {
  await bigpipe?.dispose();
  await target.close();
});

async function publish(to: BigpipeProcess, type: string, body: string): Promise<boolean> {
  const headers = { authorization: basic('system-1', 'i am good') };
  const query = `topic=test&type=${type}&key=${body.length % 7}`;
  try {
    const answer = await fetch(`${to.origin}/commit?${query}`, { method: 'POST', headers, body });
    if (answer.status !== 200) throw new Error(`answered ${answer.status}`);
    await answer.arrayBuffer();
    accepted.set(body, type);
    return true;
  } catch {
    unknown.set(body, type);
    return false;
  }
}

async function publishMany(to: BigpipeProcess, life: number, answered: () => void): Promise<void> {
  const caller = async (of: number) => {
    for (let n = of; n < perLife; n += callers) {
      if (!(await publish(to, `type.${n % types}`, `${life}-${n}`))) return;
      answered();
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, of) => caller(of)));
}

/** How often each body came to each group. */
function arrivals(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { path, body } of target.arrivals) {
    const name = `${path.slice(1)} ${body.toString()}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

const expected = () =>
  Array.from({ length: groups }, (_, group) =>
    [...accepted].filter(([, type]) => wantedBy(group).test(type)).map(([body]) => `${group} ${body}`),
  ).flat();

const untilAllCame = (what: string) =>
  until(
    what,
    () => {
      const came = arrivals();
      return expected().every((name) => came.has(name));
    },
    boundMs,
  );

const untilSettled = (running: BigpipeProcess) =>
  until(
    'every mark is at the end',
    async () => {
      const rows: unknown = await (await fetch(`${running.management}/broker/lag`)).json();
      // Asked too often, it says so instead of answering.
      if (!Array.isArray(rows) || rows.length === 0) return false;
      return (rows as { lag: string }[]).every(({ lag }) => Number(lag) === 0);
    },
    boundMs,
  );

test('kills lose nothing and bring nobody what another wants; marks go past what is not wanted, and stay', async () => {
  let directory: string | undefined;
  for (let life = 0; life < kills; life += 1) {
    const running: BigpipeProcess = await BigpipeProcess.start(
      directory === undefined ? { config: config() } : { directory },
    );
    bigpipe = running;
    ({ directory } = running);
    let answers = 0;
    await publishMany(running, life, () => {
      answers += 1;
      if (answers === perLife / 2) running.child.kill('SIGKILL');
    });
    expect(await running.exited).toBe('SIGKILL');
  }
  const last = await BigpipeProcess.start({ directory: directory as string });
  bigpipe = last;
  await publishMany(last, kills, () => undefined);
  await untilAllCame('every group has what it wants');
  await untilSettled(last);
  const came = arrivals();
  const faults: string[] = [];
  for (const [name, times] of came) {
    const [group, body] = name.split(' ') as [string, string];
    const type = accepted.get(body) ?? unknown.get(body) ?? 'never published';
    if (!wantedBy(Number(group)).test(type) || times > 1 + kills) faults.push(`${name} of ${type} came ${times} times`);
  }
  expect(faults).toEqual([]);
  expect(await last.end('SIGTERM')).toBe(0);
  const again = await BigpipeProcess.start({ directory: last.directory });
  bigpipe = again;
  for (let type = 0; type < types; type += 1) expect(await publish(again, `type.${type}`, `last-${type}`)).toBe(true);
  await untilAllCame('what is new has come');
  await untilSettled(again);
  const repeated = [...arrivals()].filter(([name, times]) => times !== (came.get(name) ?? 1));
  expect(repeated).toEqual([]);
}, 900_000);
