// The log is JSON, a line a row, on stdout and in files; what a caller entrusts to bigpipe is never in it.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { replaceConfig } from '../support/live-config.js';
import { rawRequest } from '../support/raw-request.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** What must stay out of the log; each is sent, or answered, somewhere below. */
const secrets = {
  configured: 'configured-hunter2',
  wrong: 'wrong-hunter3',
  body: 'body-hunter4',
  header: 'header-hunter5',
  own: 'own-hunter6',
  query: 'query-hunter7',
  answer: 'answer-hunter8',
  key: 'key-hunter9',
  token: 'token-hunter10-token',
  wrongToken: 'wrong-token-hunter11',
  signing: `whsec_${Buffer.from('signing-hunter12-signing-hunter12').toString('base64')}`,
  nextSigning: 'whsec_next-hunter13',
  nextToken: 'next-hunter14',
  nextSecret: 'sha256:next-hunter15',
};

const config: Config = baseConfig({
  'log.level': 5,
  'log.directory': './logs',
  'http.server.max.body.size': 1024,
  'kafka.producer.acl': [{ name: 'system-1', secret: secrets.configured, topic: 'test' }],
  'kafka.consumer.list': [baseConsumer({ retries: 1, signing: { secrets: [secrets.signing] } })],
  'management.token': secrets.token,
});
const acl = { name: 'system-1', secret: secrets.configured };

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

async function logFiles(): Promise<string> {
  const directory = join(bigpipe.directory, 'logs');
  const names = await readdir(directory);
  const files = names.filter((name) => name.endsWith('.log') && name !== 'current.log');
  return (await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')))).join('');
}

/** Every answer that makes bigpipe say something. */
const script: TargetServer['script'] = ({ path }, response, socket) => {
  if (path.startsWith('/reset')) socket.destroy();
  else if (path.startsWith('/garbage')) socket.end(`HTTP/1.1 ${secrets.answer}\r\n\r\n`);
  else if (path.startsWith('/fail')) response.writeHead(500, { 'x-answer': secrets.answer }).end(secrets.answer);
  else if (path.startsWith('/reject')) response.writeHead(404, { 'x-answer': secrets.answer }).end(secrets.answer);
  else if (path.startsWith('/redirect')) response.writeHead(302, { location: `/${secrets.answer}` }).end();
  else if (!path.startsWith('/hang')) response.end(secrets.answer);
};

test('neither secrets nor bodies nor header values are in the log, also of calls that fail', async () => {
  target.script = script;
  const gone = await TargetServer.start();
  const goneUrl = gone.url(`/gone?token=${secrets.query}`);
  await gone.close();
  const paths = ['/ok', '/reset', '/garbage', '/fail', '/reject', '/redirect', '/hang'];
  const urls = [...paths.map((path) => target.url(`${path}?token=${secrets.query}`)), goneUrl];
  const caller = { authorization: secrets.own, cookie: secrets.own, 'x-own': secrets.own };
  for (const url of urls) {
    const call = { acl, url, data: secrets.body, partition_key: secrets.key, headers: { 'x-token': secrets.header } };
    expect((await bigpipe.post(JSON.stringify(call), caller)).body.errno).toBe(0);
  }
  await bigpipe.call({ url: target.url(), acl: { ...acl, secret: secrets.wrong }, data: secrets.body });
  await bigpipe.call({ url: `ftp://${secrets.query}/`, acl, data: secrets.body });
  await bigpipe.call({ url: target.url(), acl, headers: { cookie: secrets.header }, data: secrets.body });
  await bigpipe.post(`{"acl": {"secret": "${secrets.configured}"`, caller);
  await bigpipe.post(JSON.stringify({ acl, data: secrets.body.repeat(100) }), caller);
  await rawRequest(`${bigpipe.origin}/${secrets.query}`, { headers: caller });
  for (const token of [secrets.wrongToken, secrets.token]) {
    const headers = { authorization: `Bearer ${token}` };
    await rawRequest(`${bigpipe.management}/config?token=${secrets.query}`, { method: 'GET', headers });
    await rawRequest(`${bigpipe.management}/dlq/${secrets.query}/${secrets.query}`, { method: 'GET', headers });
  }
  await replaceConfig(bigpipe, {
    ...config,
    'kafka.producer.acl': [{ name: 'system-1', secrets: [secrets.nextSecret], topic: 'test' }],
    'kafka.consumer.list': [baseConsumer({ signing: { secrets: [secrets.nextSigning] } })],
    'management.token': secrets.nextToken,
  });
  await until('it is refused', () => bigpipe.log.some(({ msg }) => String(msg).startsWith('configuration refused')));

  const failing = urls.length - 1;
  await untilStats(bigpipe, 'all is settled', ({ clientStats: { test: client } }) => {
    return client?.['deadLetters'] === failing && client['rpcSuccess'] === 1;
  });
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  const rows = JSON.stringify(bigpipe.log) + bigpipe.stderr.join('\n') + (await logFiles());
  // The log did speak of these calls.
  expect(rows).toContain('attempt failed');
  expect(rows).toContain('attempt rejected');
  for (const [what, text] of Object.entries(secrets)) expect([what, rows.includes(text)]).toEqual([what, false]);
  expect(bigpipe.stderr).toEqual([]);
});

test('what is said of a failing call names the call and the destination', async () => {
  target.script = script;
  await bigpipe.call({ acl, url: target.url('/reject'), id: 'call-1' });
  const row = await until('the refusal is logged', () => bigpipe.log.find(({ msg }) => msg === 'attempt rejected'));
  expect(row).toMatchObject({
    level: 40,
    time: expect.any(Number),
    group: 'G1',
    id: 'call-1',
    topic: 'test',
    attempt: 1,
    maxAttempts: 2,
    destination: `http://127.0.0.1:${target.port}`,
  });
});

test('log.directory has the same rows in a file', async () => {
  target.script = script;
  await bigpipe.call({ acl, url: target.url('/reject'), id: 'call-1' });
  await until('the refusal is in the file', async () => (await logFiles()).includes('attempt rejected'));
  const rows = (await logFiles())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(rows).toContainEqual(expect.objectContaining({ msg: 'bigpipe is running', port: bigpipe.port }));
  expect(rows).toContainEqual(expect.objectContaining({ msg: 'attempt rejected', id: 'call-1' }));
});

test('log.level 3 keeps back what is less than a warning', async () => {
  // Stored while nobody reads, so that the next process has something to warn of.
  const idle = await BigpipeProcess.start({ config: { ...config, 'kafka.consumer.list': [] } });
  await idle.call({ acl, url: target.url('/reject') });
  await idle.end('SIGTERM');
  target.script = script;
  const quiet = await BigpipeProcess.spawn({ directory: idle.directory, config: { ...config, 'log.level': 3 } });
  try {
    await until('it warns', () => quiet.log.some(({ msg }) => msg === 'attempt rejected'));
    await quiet.end('SIGTERM');
    expect(quiet.log.filter(({ level }) => (level as number) < 40)).toEqual([]);
  } finally {
    await quiet.dispose();
  }
});
