// Receivers that speak gRPC: any unary method by its URL, with the bytes of its request, over TLS too; their statuses are obeyed.
import { ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Authority } from '../support/certificates.js';
import { readLetters } from '../support/dead-letters-page.js';
import { GrpcReceiver } from '../support/grpc-receiver.js';
import { idOf, send } from '../support/messages-door.js';
import { until } from '../support/until.js';

let authority: Authority;
let bigpipe: BigpipeProcess;
const receivers: GrpcReceiver[] = [];

beforeAll(async () => {
  authority = new Authority();
  const { certFile, keyFile } = authority.issue('bigpipe');
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'egress.tls.ca': authority.caFile,
      'egress.tls.cert': certFile,
      'egress.tls.key': keyFile,
      'kafka.consumer.list': [baseConsumer({ timeout: 20_000, retries: 2 })],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  for (const receiver of receivers) receiver.close();
  authority.dispose();
});

async function receiver(credentials?: ServerCredentials, options = {}): Promise<GrpcReceiver> {
  const started = await GrpcReceiver.start(credentials, options);
  receivers.push(started);
  return started;
}

const call = (url: string, body: string | Buffer, headers = {}) =>
  send(bigpipe, { 'bigpipe-url': url, ...headers }, body);

test('the body is the request, and the answer’s message comes back to who waits', async () => {
  const service = await receiver();
  service.script = ({ body }, answer) => answer(null, Buffer.concat([Buffer.from('was '), body]));
  const answer = await call(service.url(), 'hello', { prefer: 'wait=20', 'bigpipe-type': 'order.paid' });
  expect([answer.status, answer.text]).toEqual([200, 'was hello']);
  expect(answer.headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'grpc-status': '0' });
  const [arrival] = service.arrivals;
  expect(arrival?.body.toString()).toBe('hello');
  const told = ['bigpipe-message-id', 'bigpipe-type', 'bigpipe-attempt', 'idempotency-key'];
  const id = idOf(answer);
  expect(told.map((name) => arrival?.metadata.get(name)[0])).toEqual([id, 'order.paid', '1', `"${id}"`]);
});

test('more at once than the receiver takes wait for one another', async () => {
  const service = await receiver(undefined, { 'grpc.max_concurrent_streams': 3 });
  service.script = ({ body }, answer) => void setImmediate(() => answer(null, body));
  await Promise.all(Array.from({ length: 60 }, (_, i) => call(service.url(), `${i}`)));
  await until('all have arrived', () => service.arrivals.length >= 60);
  expect(new Set(service.arrivals.map(({ body }) => body.toString())).size).toBe(60);
});

test('a status is retried or refused as it means; a refusal is a dead letter with what was said', async () => {
  const service = await receiver();
  service.script = ({ body, metadata }, answer) => {
    if (body.toString() === 'no') answer({ code: status.INVALID_ARGUMENT, details: 'no such ü' });
    else if (metadata.get('bigpipe-attempt')[0] === '1') answer({ code: status.UNAVAILABLE, details: 'later' });
    else answer(null, body);
  };
  await call(service.url(), 'again');
  await until('it was tried again', () => service.arrivals.length === 2);
  expect(service.arrivals[1]?.metadata.get('bigpipe-redelivery')).toEqual(['status']);
  const refused = await call(service.url(), 'no', { prefer: 'wait=20' });
  expect([refused.status, refused.text, refused.headers['grpc-status']]).toEqual([400, '', '3']);
  const letter = await until('the letter is there', async () => (await readLetters(bigpipe))[0]);
  expect(letter.history).toMatchObject({ reason: 'rejected', status: '400', attempts: '1' });
  expect(letter.history['detail']).toBe('the receiver answered INVALID_ARGUMENT (3): no such ü');
});

test('over TLS to whom the authority knows, with our certificate shown', async () => {
  const { cert, key } = authority.issue('receiver');
  const pair = [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }];
  const service = await receiver(ServerCredentials.createSsl(Buffer.from(authority.ca), pair, true));
  const answer = await call(service.url('grpcs'), 'secret', { prefer: 'wait=20' });
  expect([answer.status, answer.text]).toEqual([200, 'secret']);
  const plain = await receiver();
  const failed = await call(plain.url('grpcs'), 'x', { prefer: 'wait=20' });
  expect([failed.status, failed.headers['bigpipe-reply']]).toEqual([502, 'failed']);
});

test('an address that calls may not go to is refused at the door', async () => {
  const answer = await call('grpc://10.0.0.1:50051/a.B/C', 'x');
  expect([answer.status, JSON.parse(answer.text).code]).toEqual([403, 'forbidden']);
});
