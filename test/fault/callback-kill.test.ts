// Killed while answers are on their way to callback URLs: every one is delivered in the end, under one id.
import { expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const calls = Number(process.env['CALLBACK_CALLS'] ?? 100);

test('killed in the middle: nobody waits for a callback in vain', async () => {
  const target = await TargetServer.start(({ body }, response) => void response.end(body));
  const caller = await TargetServer.start();
  let bigpipe = await BigpipeProcess.start();
  const accepted: string[] = [];
  const called = () => new Map(caller.arrivals.map(({ headers, body }) => [headers['bigpipe-callback-of'], body]));
  await Promise.all(
    Array.from({ length: calls }, async (_, i) => {
      const id = `m${i}`;
      const { body } = await bigpipe.call({ id, url: target.url(), data: id, callback_url: caller.url() });
      if (body.errno === 0) accepted.push(id);
    }),
  );
  await until('a quarter is called back', () => called().size > calls / 4);
  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await until('all are called back', () => called().size === calls, 60_000);
  expect(accepted.length).toBe(calls);
  for (const [id, body] of called()) expect(body.toString()).toBe(id);
  const ids = caller.arrivals.map(({ headers }) => headers['bigpipe-message-id']);
  expect(new Set(ids).size).toBe(calls);
  await bigpipe.dispose();
  await Promise.all([target.close(), caller.close()]);
});
