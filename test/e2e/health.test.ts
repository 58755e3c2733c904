// /livez, /readyz, /startupz and /health on the two listeners, and which routes each of the two has.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const get = (origin: string, path: string): Promise<RawAnswer> => rawRequest(`${origin}${path}`, { method: 'GET' });

describe('a bigpipe that runs', () => {
  let bigpipe: BigpipeProcess;

  beforeAll(async () => {
    bigpipe = await BigpipeProcess.start();
  });

  afterAll(async () => {
    await bigpipe.dispose();
  });

  test.each(['/livez', '/readyz', '/startupz'])('%s is a bare yes on both listeners', async (path) => {
    for (const origin of [bigpipe.origin, bigpipe.management]) {
      const answer = await get(origin, path);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toEqual({ status: 'ok' });
    }
  });

  test('/health is bare for everybody', async () => {
    const answer = await get(bigpipe.origin, '/health');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({ status: 'ok' });
  });

  test('/health has its details on the management listener', async () => {
    const answer = await get(bigpipe.management, '/health');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({
      status: 'ok',
      details: { broker: { status: 'up' }, drain: { status: 'up' } },
    });
  });

  test('health is not limited, however often it is asked', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(bigpipe.origin, '/readyz')));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  });

  test('what the operator sees is not on the main listener', async () => {
    expect((await get(bigpipe.management, '/broker/lag')).status).toBe(200);
    expect((await get(bigpipe.origin, '/broker/lag')).status).toBe(404);
    expect((await rawRequest(`${bigpipe.management}/broker/check`, {})).status).toBe(200);
    expect((await rawRequest(`${bigpipe.origin}/broker/check`, {})).status).toBe(404);
  });

  test('no header makes a request one of the management listener', async () => {
    const headers = { host: `127.0.0.1:${bigpipe.managementPort}`, listener: 'management', 'x-listener': 'management' };
    const answer = await rawRequest(`${bigpipe.origin}/broker/lag`, { method: 'GET', headers });
    expect(answer.status).toBe(404);
  });

  test('no calls come in through the management listener', async () => {
    const acl = { name: 'system-1', secret: 'i am good' };
    const body = [Buffer.from(JSON.stringify({ acl, url: 'http://127.0.0.1:1/', data: '', partition_key: '' }))];
    expect((await rawRequest(`${bigpipe.management}/rpc/call`, { body })).status).toBe(404);
    expect((await rawRequest(`${bigpipe.management}/rpc/server/mock`, { body })).status).toBe(404);
    expect((await bigpipe.stats()).serverStats).toMatchObject({ receivedCall: 0, acceptedCall: 0 });
    expect((await rawRequest(`${bigpipe.origin}/rpc/server/mock`, { body })).status).toBe(200);
  });

  test('/stats is on both', async () => {
    const [main, management] = await Promise.all([get(bigpipe.origin, '/stats'), get(bigpipe.management, '/stats')]);
    expect([main.status, management.status]).toEqual([200, 200]);
  });

  test('the lag of every group and partition', async () => {
    const rows = JSON.parse((await get(bigpipe.management, '/broker/lag')).text) as unknown;
    const row = (partition: number) => expect.objectContaining({ groupId: 'G1', topic: 'test', partition, lag: '0' });
    expect(rows).toEqual([row(0), row(1), row(2)]);
  });
});

describe('a bigpipe that drains', () => {
  let target: TargetServer;
  let bigpipe: BigpipeProcess;
  let release: () => void = () => undefined;

  beforeAll(async () => {
    target = await TargetServer.start((_arrival, response) => {
      release = () => response.end();
    });
    bigpipe = await BigpipeProcess.start();
    await bigpipe.call({ url: target.url() });
    await until('a delivery is under way', () => target.arrivals.length === 1);
    bigpipe.child.kill('SIGTERM');
    await until('it is not ready any more', async () => (await get(bigpipe.management, '/readyz')).status !== 200);
  });

  afterAll(async () => {
    release();
    await bigpipe.dispose();
    await target.close();
  });

  test('is not ready, and says it on the management listener', async () => {
    expect((await get(bigpipe.management, '/readyz')).status).toBe(503);
  });

  test('is alive, and has started', async () => {
    expect((await get(bigpipe.management, '/livez')).status).toBe(200);
    expect((await get(bigpipe.management, '/startupz')).status).toBe(200);
  });

  test('says in the details that it drains', async () => {
    const answer = await get(bigpipe.management, '/health');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'error', details: { drain: { status: 'down' } } });
  });

  test('ends with 0 once the delivery under way is over', async () => {
    release();
    expect(await bigpipe.exited).toBe(0);
  });
});

test('with a delay before it stops it serves on while it is not ready', async () => {
  const bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.stop.delay': 300_000 }) });
  try {
    bigpipe.child.kill('SIGTERM');
    await until('it is not ready any more', async () => (await get(bigpipe.origin, '/readyz')).status === 503);
    expect((await bigpipe.call({ url: 'http://127.0.0.1:9/' })).body.errno).toBe(0);
  } finally {
    bigpipe.child.kill('SIGKILL');
    await bigpipe.exited;
    await bigpipe.dispose();
  }
});
