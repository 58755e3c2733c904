// Prefer: wait on /v1/messages, and the reply later on: the receiver's answer is the answer.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;
/** Bodies that are answered only once this is called. */
let release: () => void;

beforeEach(async () => {
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  target = await TargetServer.start(async (arrival, response) => {
    const text = arrival.body.toString();
    if (text === 'held') await released;
    if (text === 'no') response.writeHead(410, { 'content-type': 'text/plain' }).end('gone');
    else response.writeHead(207, { 'content-type': 'text/x-own', 'x-secret': 's' }).end(`was ${text}`);
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'test' },
        { name: 'other', secret: 'me too', topic: 'test' },
      ],
      'kafka.consumer.list': [baseConsumer({ timeout: 2000, retries: 0 })],
    }),
  });
});

afterEach(async () => {
  release();
  await bigpipe.dispose();
  await target.close();
});

const credentials = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

async function ask(path: string, init: RequestInit = {}, who = 'system-1:i am good') {
  const headers = { ...credentials(who), ...(init.headers as object) };
  const response = await fetch(`http://127.0.0.1:${bigpipe.port}/v1/messages${path}`, { ...init, headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const send = (body: string, headers: Record<string, string> = { prefer: 'wait=10' }) =>
  ask('', { method: 'POST', body, headers: { 'bigpipe-url': target.url(), ...headers } });

test('with Prefer: wait the answer is the receiver’s, whatever it says', async () => {
  const { status, headers, text } = await send('a');
  expect([status, text, headers.get('content-type'), headers.get('x-secret')]).toEqual([
    207,
    'was a',
    'text/x-own',
    null,
  ]);
  expect([headers.get('bigpipe-reply'), headers.get('preference-applied')]).toEqual(['answered', 'wait']);
  const id = String(headers.get('bigpipe-message-id'));
  expect(headers.get('location')).toBe(`/v1/messages/${id}`);
  expect(await send('no')).toMatchObject({ status: 410, text: 'gone' });
  const again = await ask(`/${id}/reply`);
  expect(again).toMatchObject({ status: 207, text: 'was a' });
  expect(again.headers.get('bigpipe-message-id')).toBe(id);
});

test('whose patience ends gets 202, and fetches the reply later', async () => {
  const { status, headers, text } = await send('held', { prefer: 'respond-async, wait=1' });
  expect([status, headers.get('bigpipe-reply')]).toEqual([202, null]);
  const { id } = JSON.parse(text) as { id: string };
  expect(await ask(`/${id}/reply`)).toMatchObject({ status: 404 });
  const waiting = ask(`/${id}/reply?wait=10`);
  await until('it waits', async () => {
    const { replyStats } = (await bigpipe.stats()) as unknown as { replyStats: { waiting: number } };
    return replyStats.waiting === 1;
  });
  release();
  expect(await waiting).toMatchObject({ status: 207, text: 'was held' });
  expect(await ask(`/${id}/reply`, {}, 'other:me too')).toMatchObject({ status: 404 });
  expect(target.arrivals.length).toBe(1);
});

test('what is given up is a problem, and a dead letter as always', async () => {
  const { url } = await TargetServer.start().then(async (gone) => {
    const at = { url: gone.url() };
    await gone.close();
    return at;
  });
  const { status, headers, text } = await send('x', { prefer: 'wait=10', 'bigpipe-url': url });
  expect([status, headers.get('bigpipe-reply')]).toEqual([502, 'failed']);
  expect(JSON.parse(text)).toMatchObject({ code: 'not-delivered', detail: expect.stringContaining('ECONNREFUSED') });
  const later = await ask(`/${headers.get('bigpipe-message-id')}/reply`);
  expect(later.status).toBe(502);
});

test.each(['-1', 'soon', '3601', '1e3'])('wait=%s is told so', async (wait) => {
  const { status, text } = await ask(`/msg_1/reply?wait=${wait}`);
  expect([status, JSON.parse(text)]).toEqual([400, expect.objectContaining({ code: 'invalid-request' })]);
});

test('without Prefer: wait nobody keeps the answer', async () => {
  const { text } = await send('a', {});
  await until('it has arrived', () => target.arrivals.length === 1);
  const { id } = JSON.parse(text) as { id: string };
  expect(await ask(`/${id}/reply`)).toMatchObject({ status: 404 });
});
