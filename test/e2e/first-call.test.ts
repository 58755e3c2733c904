// README's first promise: a call handed to /rpc/call is answered and delivered.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start();
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('a call is stored, answered and delivered byte for byte', async () => {
  const answer = await bigpipe.call({ url: target.url('/hook?x=1'), data: 'hello', partition_key: 'k' });
  expect(answer.body).toEqual({ data: '', errno: 0, msg: '发送成功' });
  expect(answer.headers.get('bigpipe-durability')).toBe('disk');
  const arrival = await until('the call arrives', () => target.arrivals[0]);
  expect(arrival.method).toBe('POST');
  expect(arrival.path).toBe('/hook?x=1');
  expect(arrival.body.toString()).toBe('hello');
  expect(arrival.headers['bigpipe-message-id']).toBe(answer.headers.get('bigpipe-message-id'));
});
