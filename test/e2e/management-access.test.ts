// Who may use the operator's listener: with a token from anywhere, without one from this machine and from no web page.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { configCounters, replaceConfig } from '../support/live-config.js';
import { MainProcess } from '../support/main-process.js';
import { rawRequest } from '../support/raw-request.js';
import { until } from '../support/until.js';

const token = 'a-token-of-32-characters-at-least';
const started: BigpipeProcess[] = [];

afterEach(async () => {
  for (const bigpipe of started.splice(0)) await bigpipe.dispose();
});

async function start(config: Config, env: Record<string, string> = {}): Promise<BigpipeProcess> {
  const bigpipe = await BigpipeProcess.start({ config: baseConfig(config), env });
  started.push(bigpipe);
  return bigpipe;
}

const statusOf = async (bigpipe: BigpipeProcess, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  (await rawRequest(`${bigpipe.management}${path}`, { method, headers })).status;

const bearer = (value: string) => ({ authorization: `Bearer ${value}` });

test('without a token: this machine, by its own names, and no page of another origin', async () => {
  const bigpipe = await start({});
  const port = bigpipe.managementPort;
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`, '127.1.2.3']) {
    expect([host, await statusOf(bigpipe, '/config', { host })]).toEqual([host, 200]);
  }
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '10.0.0.1', '0.0.0.0']) {
    expect([host, await statusOf(bigpipe, '/config', { host })]).toEqual([host, 403]);
  }
  const own = `http://127.0.0.1:${port}`;
  expect(await statusOf(bigpipe, '/subscriptions/test/G1/pause', { origin: own }, 'POST')).toBeLessThan(300);
  for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 1}`, `${own}.evil.example`]) {
    expect([origin, await statusOf(bigpipe, '/subscriptions/test/G1/pause', { origin }, 'POST')]).toEqual([
      origin,
      403,
    ]);
  }
  expect(await statusOf(bigpipe, '/dlq', { 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await statusOf(bigpipe, '/dlq', { 'sec-fetch-site': 'none' })).toBe(200);
  expect(await statusOf(bigpipe, '/livez', { host: 'probe.example' })).toBe(200);
});

test('what strangers need not see is not there for them, however it is written, and comes back live', async () => {
  const bigpipe = await start({ 'http.server.pages': [] });
  const statusAt = async (path: string) => (await rawRequest(`${bigpipe.origin}${path}`, { method: 'GET' })).status;
  for (const path of ['/stats', '/%73tats', '/stats?x=1', '/rpc/server/mock', '/rpc/server/m%6fck']) {
    expect([path, await statusAt(path)]).toEqual([path, 404]);
  }
  expect(await statusAt('/livez')).toBe(200);
  expect(await statusOf(bigpipe, '/stats')).toBe(200);
  await replaceConfig(bigpipe, baseConfig({}));
  await until('it is back', async () => (await statusAt('/stats')) === 200);
});

test('elsewhere than on loopback it does not open without one', async () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example']) {
    const refused = await BigpipeProcess.spawn({ config: baseConfig({ 'management.host': host }) });
    started.push(refused);
    expect(await refused.exited).toBe(78);
    await until('it says why', () => refused.stderr.some((line) => line.includes('management.token: found nothing')));
  }
});

test('with a token nobody gets in without it, wherever from', async () => {
  const bigpipe = await start({ 'management.host': '0.0.0.0', 'management.token': token });
  const bare = await rawRequest(`${bigpipe.management}/config`, { method: 'GET' });
  expect(bare.status).toBe(401);
  expect(bare.headers['www-authenticate']).toBe('Bearer');
  expect(JSON.parse(bare.text)).toMatchObject({ statusCode: 401 });
  for (const wrong of ['', 'x', `${token}x`, token.slice(1), token.toUpperCase()]) {
    expect(await statusOf(bigpipe, '/config', bearer(wrong))).toBe(401);
  }
  expect(await statusOf(bigpipe, '/config', { authorization: `Basic ${token}` })).toBe(401);
  expect(await statusOf(bigpipe, '/config', { authorization: token })).toBe(401);
  for (const path of ['/stats', '/health', '/dlq', '/nothing', '/livez/', '//livez', '/livez/../config', '/LIVEZ']) {
    expect([path, await statusOf(bigpipe, path)]).toEqual([path, 401]);
  }
  expect(await statusOf(bigpipe, '/livez', {}, 'POST')).toBe(401);
  expect(await statusOf(bigpipe, '/livez?x=1')).toBe(200);
  expect(await statusOf(bigpipe, '/readyz')).toBe(200);
  expect(await statusOf(bigpipe, '/config', { ...bearer(token), host: 'bigpipe.example', origin: 'http://x' })).toBe(
    200,
  );
  const { text } = await rawRequest(`${bigpipe.management}/config`, { method: 'GET', headers: bearer(token) });
  expect(text).not.toContain(token);
  expect(bigpipe.log.map((line) => JSON.stringify(line)).join('\n')).not.toContain(token);
});

test('what is open without it is a setting; token and setting change live, and never to none', async () => {
  const config = (changes: Config) =>
    baseConfig({ 'management.host': '0.0.0.0', 'management.token': token, ...changes });
  const bigpipe = await start(config({ 'management.open': ['/stats'] }));
  expect(await statusOf(bigpipe, '/stats')).toBe(200);
  expect(await statusOf(bigpipe, '/livez')).toBe(401);
  const next = 'another-token-of-32-characters-at';
  await replaceConfig(bigpipe, config({ 'management.token': next, 'management.open': [] }));
  await until('the new token is in force', async () => (await statusOf(bigpipe, '/config', bearer(next))) === 200);
  expect(await statusOf(bigpipe, '/config', bearer(token))).toBe(401);
  expect(await statusOf(bigpipe, '/stats')).toBe(401);
  const { refused } = await configCounters(bigpipe);
  // It still listens everywhere until a restart.
  await replaceConfig(bigpipe, baseConfig({}));
  await until('it is refused', async () => (await configCounters(bigpipe)).refused > refused);
  expect(await statusOf(bigpipe, '/config')).toBe(401);
  expect(await statusOf(bigpipe, '/config', bearer(next))).toBe(200);
});

test('the environment may have it, and a file; the commands bring it', async () => {
  const bigpipe = await start({}, { BIGPIPE_MANAGEMENT_TOKEN: token });
  expect(await statusOf(bigpipe, '/config')).toBe(401);
  expect(await statusOf(bigpipe, '/config', bearer(token))).toBe(200);
  const file = join(bigpipe.directory, 'bigpipe.json');
  const args = ['config', 'check', file, '--against', bigpipe.management];
  const without = new MainProcess({ cwd: bigpipe.directory, args, program: 'cli/main.js' });
  expect(await without.ended).toMatchObject({ code: 1 });
  const env = { BIGPIPE_MANAGEMENT_TOKEN: token };
  const withToken = new MainProcess({ cwd: bigpipe.directory, args, env, program: 'cli/main.js' });
  expect(await withToken.ended).toMatchObject({ code: 0 });
  const secretFile = join(bigpipe.directory, 'token');
  await writeFile(secretFile, `${token}\n`);
  const fromFile = await start({ 'management.token': `\${file:${secretFile}}` });
  expect(await statusOf(fromFile, '/config', bearer(token))).toBe(200);
});
