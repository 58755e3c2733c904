// A message whose URL nobody would have taken stands in the log: it goes to the dead letter, and what is behind it goes on.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { untilStats } from '../support/stats-page.js';
import { deadLetters } from '../support/stored-log.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const dayMs = 86_400_000;

let target: TargetServer;
let bigpipe: BigpipeProcess;

/** By message id; undefined for no URL at all. */
function badUrls(): Record<string, string | undefined> {
  const host = `127.0.0.1:${target.port}`;
  return {
    missing: undefined,
    empty: '',
    relative: '/path',
    'no-scheme': host,
    ftp: `ftp://${host}/`,
    file: 'file:///etc/passwd',
    javascript: 'javascript:alert(1)',
    'one-slash': `http:/${host}/`,
    credentials: `http://user:secret@${host}/`,
    'user-alone': `http://user@${host}/`,
    port: 'http://127.0.0.1:99999/',
    'no-host': 'http://',
    'query-alone': 'http://?q',
    space: `http://${host}/a b`,
    'line-break': `http://${host}/\r\nx-injected: 1`,
    'too-long': `http://${host}/${'x'.repeat(8192)}`,
  };
}

/** Puts messages into a log that no process has open, as an older or a foreign writer might. */
async function write(directory: string, urls: readonly (readonly [id: string, url: string | undefined])[]) {
  const store = new SqliteStore({ directory, fsync: true, maxBytes: 0 });
  const broker = new EmbeddedBroker(store, {
    fsync: true,
    retentionMs: dayMs,
    retentionBytes: 1_073_741_824,
    retentionHardMs: 0,
    offsetsRetentionMs: dayMs,
    tailBytes: 1_048_576,
    clock: new SystemClock(),
    report: (text, error) => {
      throw new Error(text, { cause: error });
    },
  });
  await broker.open();
  try {
    await broker.ensureTopic({ name: 'test', partitions: 1, retention: 'standard' });
    const messages = urls.map(([id, url]) => {
      const headers = { 'bigpipe-message-id': id, 'x-kept': 'as it was' };
      // One key for all: a bad one must not hold those behind it.
      const body = Buffer.from(`body of ${id}`);
      return {
        topic: 'test',
        key: Buffer.from('k'),
        body,
        headers: url === undefined ? headers : { ...headers, 'bigpipe-url': url },
      };
    });
    await broker.append(messages, -1);
  } finally {
    await broker.close();
  }
}

beforeAll(async () => {
  target = await TargetServer.start();
  const directory = await mkdtemp(join(tmpdir(), 'bigpipe-'));
  const good = (id: string) => [id, target.url(`/${id}`)] as const;
  await write(join(directory, 'data'), [good('first'), ...Object.entries(badUrls()), good('last')]);
  const config = baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'broker.embedded.directory': join(directory, 'data'),
  });
  bigpipe = await BigpipeProcess.start({ directory, config });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('each bad one is a dead letter as it stood there, without an attempt, and the good ones are delivered', async () => {
  const bad = badUrls();
  const count = Object.keys(bad).length;
  const stats = await untilStats(bigpipe, 'all are settled', ({ clientStats }) => {
    const { rpcSuccess, deadLetters: letters } = clientStats['test'] ?? {};
    return rpcSuccess === 2 && letters === count;
  });
  expect(stats.consumerStats).toMatchObject([{ handleMessage: count + 2, invalidMessage: count }]);
  expect(stats.clientStats['test']).toMatchObject({ rpcTotal: 2, rpcFail: 0, rpcRetries: 0 });
  expect(target.arrivals.map(({ path }) => path)).toEqual(['/first', '/last']);
  const letters = deadLetters(bigpipe.directory);
  expect([...letters.keys()].sort()).toEqual(Object.keys(bad).sort());
  for (const [id, url] of Object.entries(bad)) {
    const { headers, body } = letters.get(id) ?? {};
    expect(body?.toString()).toBe(`body of ${id}`);
    expect(headers).toMatchObject({
      'x-kept': 'as it was',
      'bigpipe-dlq-reason': 'invalid',
      'bigpipe-dlq-detail': expect.stringContaining('bigpipe-url'),
      'bigpipe-dlq-status': '0',
      'bigpipe-dlq-attempts': '0',
      'bigpipe-dlq-first-attempt': '',
      'bigpipe-dlq-last-attempt': '',
      'bigpipe-dlq-topic': 'test',
      'bigpipe-dlq-partition': '0',
    });
    expect(headers?.['bigpipe-url']).toBe(url);
  }
});

test('the log says that there are invalid messages, and never their secrets', async () => {
  await until('the log says so', () => bigpipe.log.some(({ msg }) => msg === 'message is invalid'));
  expect(JSON.stringify(bigpipe.log)).not.toContain('secret@');
  expect(bigpipe.stderr).toEqual([]);
});

test('they are settled: the next start does not meet them again', async () => {
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  const { directory } = bigpipe;
  bigpipe = await BigpipeProcess.start({ directory });
  const answer = await bigpipe.call({ id: 'new', url: target.url('/new'), partition_key: 'k' });
  expect(answer.body.errno).toBe(0);
  const stats = await untilStats(
    bigpipe,
    'the new one is settled',
    ({ clientStats }) => clientStats['test']?.['rpcSuccess'] === 1,
  );
  expect(stats.consumerStats).toMatchObject([{ handleMessage: 1, invalidMessage: 0 }]);
  expect(deadLetters(directory).size).toBe(Object.keys(badUrls()).length);
});

// What is between the slashes is empty, and the parser takes the path's first part for the host.
test('a URL without a host is refused at the door', async () => {
  const urls = ['http:///path', 'http:////path', 'http:///', 'http:/\\path', 'http:\\\\path'];
  const answers = await Promise.all(urls.map((url) => bigpipe.call({ url })));
  expect(answers.map(({ body }) => body.errno)).toEqual(urls.map(() => -1));
});
