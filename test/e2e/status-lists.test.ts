// successOn, retryOn and rejectOn: each subscription decides what a receiver's status means.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { untilStats } from '../support/stats-page.js';
import { storedMessages } from '../support/stored-log.js';
import { TargetServer } from '../support/target-server.js';
import { accepted } from '../support/why-waiting.js';

const retries = 1;

const lists: Record<string, Config> = {
  usual: {},
  exact: { successOn: [200], rejectOn: [] },
  own: { successOn: ['2xx', 404, '301-303'], retryOn: [401, '505-507'], rejectOn: [409, 500] },
  yes: { successOn: [204] },
  no: { rejectOn: [503] },
  again: { retryOn: [410, 302] },
};
const topics = Object.keys(lists);

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start(({ path }, response) => {
    const status = Number(/^\/status\/(\d+)/.exec(path)?.[1] ?? 200);
    const location = status >= 300 && status < 400 ? { location: '/elsewhere' } : {};
    response.writeHead(status, location).end();
  });
  const config = baseConfig({
    'kafka.topics': topics.map((name) => ({ name, partitions: 1 })),
    'kafka.producer.acl': topics.map((topic) => ({ name: topic, secret: 's', topic })),
    'kafka.consumer.list': topics.map((topic) => baseConsumer({ topic, retries, ...lists[topic] })),
  });
  bigpipe = await BigpipeProcess.start({ config });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

/** For each status how the call ended, and how many attempts the receiver saw. */
async function endsOf(topic: string, statuses: readonly number[]): Promise<Record<number, string>> {
  const acl = { name: topic, secret: 's' };
  await Promise.all(
    statuses.map((status) =>
      accepted(bigpipe.call({ acl, id: `${topic}-${status}`, url: target.url(`/status/${status}`) })),
    ),
  );
  await untilStats(bigpipe, `all calls of ${topic} are settled`, ({ clientStats }) => {
    const { rpcSuccess = 0, deadLetters = 0 } = clientStats[topic] ?? {};
    return rpcSuccess + deadLetters === statuses.length;
  });
  const letters = storedMessages(bigpipe.directory, `${topic}.G1.dlq`);
  const counts = target.countById();
  const entries = statuses.map((status) => {
    const id = `${topic}-${status}`;
    const letter = letters.find(({ headers }) => headers['bigpipe-message-id'] === id);
    return [status, `${letter?.headers['bigpipe-dlq-reason'] ?? 'delivered'} after ${counts.get(id) ?? 0}`] as const;
  });
  return Object.fromEntries(entries);
}

const delivered = 'delivered after 1';
const rejected = 'rejected after 1';
const exhausted = `exhausted after ${retries + 1}`;

test('without lists 2xx is delivered, 410 and other 4xx are rejected at once, 5xx is tried again', async () => {
  expect(await endsOf('usual', [200, 202, 302, 404, 410, 429, 500])).toEqual({
    200: delivered,
    202: delivered,
    302: rejected,
    404: rejected,
    410: rejected,
    429: exhausted,
    500: exhausted,
  });
});

test('successOn [200] with an empty rejectOn delivers on exactly 200 and tries all else again', async () => {
  expect(await endsOf('exact', [200, 201, 204, 302, 400, 404, 410, 500])).toEqual({
    200: delivered,
    201: exhausted,
    204: exhausted,
    302: exhausted,
    400: exhausted,
    404: exhausted,
    410: exhausted,
    500: exhausted,
  });
});

test('each list says what its statuses mean, and with all three given a status in none is rejected', async () => {
  expect(await endsOf('own', [200, 299, 301, 304, 401, 403, 404, 409, 500, 503, 505, 507])).toEqual({
    200: delivered,
    299: delivered,
    301: delivered,
    304: rejected,
    401: exhausted,
    403: rejected,
    404: delivered,
    409: rejected,
    500: rejected,
    503: rejected,
    505: exhausted,
    507: exhausted,
  });
});

test('a successOn alone takes success away from the statuses it leaves out and changes nothing else', async () => {
  expect(await endsOf('yes', [200, 204, 404, 503])).toEqual({
    200: exhausted,
    204: delivered,
    404: rejected,
    503: exhausted,
  });
});

test('a rejectOn alone rejects its statuses and tries the others that were rejected again', async () => {
  expect(await endsOf('no', [200, 404, 503])).toEqual({ 200: delivered, 404: exhausted, 503: rejected });
});

test('a retryOn alone tries its statuses again and rejects the others that were retried', async () => {
  expect(await endsOf('again', [200, 302, 410, 503])).toEqual({
    200: delivered,
    302: exhausted,
    410: exhausted,
    503: rejected,
  });
});

test('a redirect is never followed, whatever the lists make of it', () => {
  expect(target.arrivals.filter(({ path }) => path === '/elsewhere')).toEqual([]);
  const redirected = target.arrivals.filter(({ path }) => path.startsWith('/status/30'));
  expect(redirected.length).toBeGreaterThanOrEqual(6);
});
