// Dead letters over HTTP: listed, purged, and sent again, a few first and no more once too many fail.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

interface Letter {
  readonly partition: number;
  readonly offset: string;
  readonly id: string;
  readonly url: string;
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly history: Record<string, string>;
}

interface Report {
  readonly state: string;
  readonly reason: string;
  readonly total: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
}

let bigpipe: BigpipeProcess;
let target: TargetServer;
const place = '/dlq/test/G1';

beforeEach(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: configOf({ retries: 0 }) });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const configOf = (changes: Config) =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [baseConsumer(changes)],
  });

async function ask(method: string, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  // The pages for people are limited to so many a second.
  const response = await until('it may be asked', async () => {
    const got = await fetch(`${bigpipe.management}${path}`, init);
    return got.status === 429 ? null : got;
  });
  return { status: response.status, answer: await response.json() };
}

const letters = async (query = '') => ((await ask('GET', `${place}${query}`)).answer as { letters: Letter[] }).letters;
const openLetters = async () => ((await ask('GET', '/dlq')).answer as { open: number }[])[0]?.open;
const report = async () => (await ask('GET', `${place}/redrive`)).answer as Report;
const untilEnded = () =>
  until('the redrive has ended', async () => {
    const now = await report();
    return now.state === 'running' ? null : now;
  });

/** Refused calls with numbers for bodies, one after another. */
async function fail(count: number): Promise<void> {
  target.script = (_arrival, response) => {
    response.writeHead(400).end('no such order');
  };
  for (let i = 0; i < count; i += 1) {
    await bigpipe.call({ id: `id-${i}`, url: target.url(), data: `${i}`, partition_key: `k${i % 3}` });
  }
  await untilStats(
    bigpipe,
    'all are dead letters',
    ({ clientStats }) => clientStats['test']?.['deadLetters'] === count,
  );
}

test('are listed with their history and their bytes, from where one asks', async () => {
  await fail(5);
  expect(await openLetters()).toBe(5);
  const all = await letters();
  expect(all.map(({ id }) => id)).toEqual(['id-0', 'id-1', 'id-2', 'id-3', 'id-4']);
  expect(all[0]).toMatchObject({ partition: 0, offset: '0', key: 'k0', url: target.url() });
  expect(Buffer.from(all[3]?.bodyBase64 ?? '', 'base64').toString()).toBe('3');
  expect(all[0]?.history).toMatchObject({
    reason: 'rejected',
    status: '400',
    answer: 'no such order',
    attempts: '1',
    topic: 'test',
  });
  expect((await letters('?from=2&limit=2')).map(({ id }) => id)).toEqual(['id-2', 'id-3']);
});

test('that are purged do not come again, also after a restart', async () => {
  await fail(5);
  expect((await ask('DELETE', `${place}?from=1&to=3`)).answer).toEqual({ purged: 2 });
  expect((await letters()).map(({ id }) => id)).toEqual(['id-0', 'id-3', 'id-4']);
  await bigpipe.end('SIGKILL');
  const { directory } = bigpipe;
  bigpipe = await BigpipeProcess.start({ directory });
  expect((await letters()).map(({ id }) => id)).toEqual(['id-0', 'id-3', 'id-4']);
});

test('are sent again in order, as what they were, and say so', async () => {
  await fail(6);
  target.script = (_arrival, response) => {
    response.end();
  };
  target.arrivals.length = 0;
  const { status, answer } = await ask('POST', `${place}/redrive`, { rate: 1000 });
  expect([status, (answer as Report).state]).toEqual([202, 'running']);
  expect(await untilEnded()).toMatchObject({ state: 'done', total: 6, sent: 6, delivered: 6, failed: 0 });
  const byKey = (key: number) => target.arrivals.map(({ body }) => Number(body)).filter((n) => n % 3 === key);
  expect([byKey(0), byKey(1), byKey(2)]).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ]);
  expect(target.arrivals.map(({ headers }) => headers['bigpipe-redelivery'])).toEqual(Array(6).fill('redrive'));
  expect(new Set(target.arrivals.map(({ headers }) => headers['bigpipe-message-id']))).toEqual(
    new Set(Array.from({ length: 6 }, (_, i) => `id-${i}`)),
  );
  expect([await openLetters(), await letters()]).toEqual([0, []]);
});

test('stop being sent once the first few have failed; what was not sent stays', async () => {
  await fail(100);
  const { status } = await ask('POST', `${place}/redrive`, { rate: 1000, canary: 0.1, abortIfFailRate: 0.2 });
  expect(status).toBe(202);
  const ended = await untilEnded();
  expect(ended).toMatchObject({ state: 'aborted', total: 100 });
  expect(ended.sent).toBeLessThanOrEqual(15);
  expect(ended.failed).toBeGreaterThan(0);
  // Those that failed are dead letters again, behind the others.
  await until('none is missing', async () => (await openLetters()) === 100);
});

test('a redrive of a range in which there is nothing is told so, and sends nothing', async () => {
  await fail(5);
  const redrive = async (range: object) => {
    const { status, answer } = await ask('POST', `${place}/redrive`, range);
    return `${status} ${(answer as { message: string }).message}`;
  };
  expect(await redrive({ partition: 7 })).toBe('404 partition: found 7, there are 0 to 0');
  expect(await redrive({ from: 5 })).toBe('404 from: found 5, the letters end before 5 in partition 0');
  expect((await ask('DELETE', `${place}?from=1&to=3`)).answer).toEqual({ purged: 2 });
  const gone = '404 no letter is left of this range: all were purged or sent again';
  expect(await redrive({ partition: 0, from: 1, to: 3 })).toBe(gone);
  expect(await redrive({ from: 1, to: 3, dryRun: true })).toBe(gone);
  // What is left beside what was purged goes.
  const sentBefore = target.arrivals.length;
  target.script = (_arrival, response) => {
    response.end();
  };
  expect((await ask('POST', `${place}/redrive`, { to: 3, rate: 1000 })).status).toBe(202);
  expect(await untilEnded()).toMatchObject({ state: 'done', total: 1, delivered: 1 });
  expect(target.arrivals.length).toBe(sentBefore + 1);
  expect(await redrive({ to: 3 })).toBe(gone);
  expect((await letters()).map(({ id }) => id)).toEqual(['id-3', 'id-4']);
});

test('can be counted before anything is sent', async () => {
  await fail(3);
  const before = target.arrivals.length;
  const { answer } = await ask('POST', `${place}/redrive`, { dryRun: true });
  expect(answer).toEqual({ dryRun: true, letters: 3, isAll: true, byReason: { rejected: 3 } });
  expect([target.arrivals.length, await openLetters()]).toEqual([before, 3]);
});

test('a redrive can be stopped, and there is one at a time', async () => {
  await fail(20);
  expect((await ask('POST', `${place}/redrive`, { rate: 0.1, abortIfFailRate: 1 })).status).toBe(202);
  expect((await ask('POST', `${place}/redrive`, {})).status).toBe(409);
  expect((await ask('DELETE', place)).status).toBe(409);
  expect((await ask('DELETE', `${place}/redrive`)).answer).toMatchObject({ state: 'stopped' });
  expect((await ask('POST', `${place}/redrive`, { dryRun: true })).status).toBe(202);
});

test.each<[string, string, object | undefined, number, RegExp]>([
  [
    'an unknown subscription',
    '/dlq/test/nobody',
    undefined,
    404,
    /no subscription of the topic test with the group nobody/,
  ],
  [
    'a limit that is none',
    `${place}?limit=0`,
    undefined,
    400,
    /limit: found "0", allowed: a whole number from 1 to 1000/,
  ],
  ['a range the wrong way round', `${place}?from=5&to=5`, undefined, 400, /to: found 5, allowed: above from \(5\)/],
  ['a rate of 0', `${place}/redrive`, { rate: 0 }, 400, /rate: found 0, allowed: a number above 0/],
  [
    'a canary above all',
    `${place}/redrive`,
    { canary: 2 },
    400,
    /canary: found 2, allowed: a number above 0, at most 1/,
  ],
  ['a report of nothing', `${place}/redrive`, undefined, 404, /no redrive of these dead letters since the start/],
])('%s is told so', async (_what, path, body, status, message) => {
  const got = await ask(body === undefined ? 'GET' : 'POST', path, body);
  expect(got.status).toBe(status);
  expect((got.answer as { message: string }).message).toMatch(message);
});
