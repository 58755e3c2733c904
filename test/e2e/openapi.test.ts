// /openapi.json and /docs: every answer that is documented occurs, as it is documented; and a client made of it works.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTransactionId } from '#src/message/message-id.js';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { goodCaller } from '../support/messages-door.js';
import { OpenApi } from '../support/openapi.js';
import { Preload } from '../support/preload.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;
/** With room for one call, and a Redis that is not there. */
let small: BigpipeProcess;
/** Without transactions. */
let off: BigpipeProcess;
let api: OpenApi;

const acl = [
  { name: 'system-1', secret: 'i am good', topic: 'test', topics: ['fetched'], pull: ['P', 'G1', 'nobody'] },
  { name: 'slow', secret: 'down', topic: 'test', rateLimit: 0.01, burst: 1, pull: ['P'] },
];

beforeAll(async () => {
  target = await TargetServer.start();
  const config = {
    'kafka.producer.acl': acl,
    'http.server.max.body.size': 65_536,
    'kafka.topics': ['test', 'fetched'].map((name) => ({ name, partitions: 3 })),
    'kafka.consumer.list': [
      baseConsumer({ url: target.url(), retries: 0 }),
      baseConsumer({ topic: 'fetched', groupId: 'P', delivery: 'pull', timeout: 60_000 }),
    ],
  };
  const transactions = { 'transaction.enabled': true };
  const narrow = { 'http.server.handler.channel.size': 1, 'redis.url': 'redis://127.0.0.1:1', 'pull.max.waiting': 0 };
  [bigpipe, small, off] = (await Promise.all(
    [{ ...config, ...transactions }, { ...config, ...transactions, ...narrow }, { 'kafka.consumer.list': [] }].map(
      (one) => BigpipeProcess.start({ config: baseConfig(one) }),
    ),
  )) as [BigpipeProcess, BigpipeProcess, BigpipeProcess];
  api = await OpenApi.of(bigpipe.origin);
}, 180_000);

afterAll(async () => {
  await bigpipe.dispose();
  await small.dispose();
  await off.dispose();
  await target.close();
});

const authorization = goodCaller;
const slow = basic('slow', 'down');
const jsonType = 'application/vnd.bigpipe+json';
const large = 'x'.repeat(65_537);

const sent = (parameters: Record<string, string> = {}, more: object = {}) =>
  api.call('sendMessage', {
    parameters: { 'bigpipe-topic': 'test', ...parameters },
    authorization,
    body: 'x',
    ...more,
  });
const committed = (parameters: Record<string, string> = {}, more: object = {}) =>
  api.call('commit', { parameters: { topic: 'test', ...parameters }, authorization, body: 'x', ...more });
const lines = (body: string, more: object = {}) => api.call('sendMessages', { authorization, body, ...more });
const rpc = (body: string) => api.call('rpcCall', { body });
const form = (data: unknown = 1) =>
  JSON.stringify({ messages: [{ topic: 'test', data }], checkUrl: target.url('/check') });
const begun = (parameters: Record<string, string> = {}, more: object = {}) =>
  api.call('beginTransaction', { parameters, authorization, body: form(), ...more });
/** Of a transaction that another node might have begun a moment ago. */
const fresh = () => ({ parameters: { id: newTransactionId(Date.now()) }, authorization });
const aTransaction = async () => {
  const { id } = JSON.parse((await begun()).text) as { id: string };
  return { parameters: { id }, authorization };
};
const decided = async (by: string) => {
  const given = await aTransaction();
  await api.call(by, given);
  return given;
};
const idOf = ({ headers }: RawAnswer) => String(headers['bigpipe-message-id']);
const delayed = async () => idOf(await sent({ 'bigpipe-delay': '1h' }));
const settled = async () => {
  const id = idOf(await sent());
  await until('it is settled', async () =>
    (await api.call('getMessage', { parameters: { id }, authorization })).text.includes('"settled"'),
  );
  return id;
};

const fromP = { parameters: { group: 'P' }, authorization };
const pulled = (body: string, more: object = {}) => api.call('pull', { ...fromP, body, ...more });
const fetched = async () => {
  await sent({ 'bigpipe-topic': 'fetched' });
  const { text } = await pulled('{"max":1,"waitSeconds":20}');
  return (JSON.parse(text) as { messages: [{ lease: string }] }).messages[0];
};
const unknownLease = '00000000-0000-4000-8000-000000000000';
const leased = (verb: string, body: object, more: object = {}) =>
  api.call(verb, {
    ...fromP,
    body: JSON.stringify({ ...(verb === 'extend' ? { leaseSeconds: 60 } : {}), ...body }),
    ...more,
  });

/** The first of many at once that has the status. */
async function among(status: number, send: () => Promise<RawAnswer>): Promise<RawAnswer> {
  return until(`one is answered with ${status}`, async () =>
    (await Promise.all(Array.from({ length: 40 }, send))).find((answer) => answer.status === status),
  );
}

async function twice(
  status: number,
  key: string,
  send: (key: string, body: string) => Promise<RawAnswer>,
): Promise<RawAnswer> {
  let round = 0;
  if (status === 409) {
    return until('one comes while another is being stored', async () => {
      round += 1;
      const answers = await Promise.all(Array.from({ length: 40 }, () => send(`${key}-${round}`, 'x')));
      return answers.find((answer) => answer.status === status);
    });
  }
  await send(key, 'one');
  return send(key, 'two');
}

/** Another process, the same document. */
const at = async (other: BigpipeProcess) => OpenApi.of(other.origin);

const unknownId = 'msg_01ARZ3NDEKTSV4RRFFQ69G5FAV';

function waysOfADecision(name: string, contrary: string, verb: string): Record<string, () => Promise<RawAnswer>> {
  return {
    [`${name} 200`]: async () => api.call(name, await aTransaction()),
    [`${name} 400`]: () => rawRequest(`${bigpipe.origin}/v1/transactions/%/${verb}`, { headers: { authorization } }),
    [`${name} 401`]: () => api.call(name, { parameters: { id: unknownId } }),
    [`${name} 404`]: () => api.call(name, { parameters: { id: unknownId }, authorization }),
    [`${name} 409`]: async () => api.call(name, await decided(contrary)),
    [`${name} 429`]: () => among(429, () => api.call(name, { parameters: { id: unknownId }, authorization: slow })),
    [`${name} 503`]: async () => {
      const full = await at(small);
      return among(503, () => full.call(name, fresh()));
    },
  };
}

/** By operation and status: how to get it. */
const ways: Record<string, () => Promise<RawAnswer>> = {
  'sendMessage 202': () => sent({ Prefer: 'respond-async', 'Idempotency-Key': 'stored' }),
  'sendMessage 400': () => sent({ 'bigpipe-delay': 'soon' }),
  'sendMessage 401': () => sent({}, { authorization: basic('system-1', 'x') }),
  'sendMessage 403': () => sent({ 'bigpipe-topic': 'other' }),
  'sendMessage 409': () => twice(409, 'k', (key, body) => sent({ 'Idempotency-Key': key }, { body })),
  'sendMessage 413': () => sent({}, { body: large }),
  'sendMessage 415': () => sent({}, { type: 'application/cloudevents-batch+json', body: '[]' }),
  'sendMessage 422': () => twice(422, 'v1', (key, body) => sent({ 'Idempotency-Key': key }, { body })),
  'sendMessage 429': () => among(429, () => sent({}, { authorization: slow })),
  'sendMessage 503': async () => {
    const full = await at(small);
    return among(503, () =>
      full.call('sendMessage', { parameters: { 'bigpipe-topic': 'test' }, authorization, body: 'x' }),
    );
  },
  'sendMessage 502': () => sent({ Prefer: 'wait=20', 'bigpipe-url': 'http://127.0.0.1:1/' }),
  'sendMessage default': () => sent({ Prefer: 'wait=20' }),
  'getReply 400': () => api.call('getReply', { parameters: { id: unknownId, wait: 'long' }, authorization }),
  'getReply 401': () => api.call('getReply', { parameters: { id: unknownId } }),
  'getReply 404': () => api.call('getReply', { parameters: { id: unknownId }, authorization }),
  'getReply 429': () => among(429, () => api.call('getReply', { parameters: { id: unknownId }, authorization: slow })),
  'getReply 502': async () => {
    const id = idOf(await sent({ Prefer: 'wait=20', 'bigpipe-url': 'http://127.0.0.1:1/' }));
    return api.call('getReply', { parameters: { id }, authorization });
  },
  'getReply 503': async () => (await at(small)).call('getReply', { parameters: { id: unknownId }, authorization }),
  'getReply default': async () => {
    const id = idOf(await sent({ Prefer: 'wait=20' }));
    return api.call('getReply', { parameters: { id }, authorization });
  },
  'sendMessages 200': () =>
    lines(['{"topic":"test","data":1}', '{"topic":"other"}', '{"topic":', '{"url":"x","delay":"y"}'].join('\n')),
  'sendMessages 400': () => lines('\n'),
  'sendMessages 401': () => lines('{}', { authorization: 'Basic x' }),
  'sendMessages 413': () => lines(large),
  'sendMessages 415': () => lines('{}', { type: 'application/json' }),
  'sendMessages 429': () => among(429, () => lines('{"topic":"test"}', { authorization: slow })),
  'getMessage 200': async () => api.call('getMessage', { parameters: { id: await delayed() }, authorization }),
  'getMessage 400': () => rawRequest(`${bigpipe.origin}/v1/messages/%`, { method: 'GET', headers: { authorization } }),
  'getMessage 401': () => api.call('getMessage', { parameters: { id: unknownId } }),
  'getMessage 404': () => api.call('getMessage', { parameters: { id: unknownId }, authorization }),
  'getMessage 429': () =>
    among(429, () => api.call('getMessage', { parameters: { id: unknownId }, authorization: slow })),
  'getMessage 503': () => among(503, () => api.call('getMessage', { parameters: { id: 'not-there' }, authorization })),
  'cancelMessage 200': async () => api.call('cancelMessage', { parameters: { id: await delayed() }, authorization }),
  'cancelMessage 400': () =>
    rawRequest(`${bigpipe.origin}/v1/messages/%`, { method: 'DELETE', headers: { authorization } }),
  'cancelMessage 401': () => api.call('cancelMessage', { parameters: { id: unknownId } }),
  'cancelMessage 404': () => api.call('cancelMessage', { parameters: { id: unknownId }, authorization }),
  'cancelMessage 409': async () => api.call('cancelMessage', { parameters: { id: await settled() }, authorization }),
  'cancelMessage 429': () =>
    among(429, () => api.call('cancelMessage', { parameters: { id: unknownId }, authorization: slow })),
  'cancelMessage 503': () =>
    among(503, () => api.call('cancelMessage', { parameters: { id: 'not-there' }, authorization })),
  'beginTransaction 201': () => begun({ 'Idempotency-Key': 'begun' }),
  'beginTransaction 400': () => begun({}, { body: '{}' }),
  'beginTransaction 401': () => begun({}, { authorization: undefined }),
  'beginTransaction 403': () => begun({}, { body: form().replace('"test"', '"other"') }),
  'beginTransaction 404': async () => (await at(off)).call('beginTransaction', { authorization, body: form() }),
  'beginTransaction 409': () => twice(409, 't', (key, body) => begun({ 'Idempotency-Key': key }, { body: form(body) })),
  'beginTransaction 413': () => begun({}, { body: large }),
  'beginTransaction 415': () => begun({}, { type: 'text/plain' }),
  'beginTransaction 422': () =>
    twice(422, 'txn', (key, body) => begun({ 'Idempotency-Key': key }, { body: form(body) })),
  'beginTransaction 429': () => among(429, () => begun({}, { authorization: slow })),
  'beginTransaction 503': async () => {
    const full = await at(small);
    return among(503, () => full.call('beginTransaction', { authorization, body: form() }));
  },
  'getTransaction 200': async () => api.call('getTransaction', await aTransaction()),
  'getTransaction 400': () =>
    rawRequest(`${bigpipe.origin}/v1/transactions/%`, { method: 'GET', headers: { authorization } }),
  'getTransaction 401': () => api.call('getTransaction', { parameters: { id: unknownId } }),
  'getTransaction 404': () => api.call('getTransaction', { parameters: { id: unknownId }, authorization }),
  'getTransaction 429': () =>
    among(429, () => api.call('getTransaction', { parameters: { id: unknownId }, authorization: slow })),
  'getTransaction 503': async () => {
    const full = await at(small);
    return among(503, () => full.call('getTransaction', fresh()));
  },
  ...waysOfADecision('commitTransaction', 'rollBackTransaction', 'commit'),
  ...waysOfADecision('rollBackTransaction', 'commitTransaction', 'rollback'),
  'commit 200': () => committed({ 'Idempotency-Key': 'committed' }),
  'commit 400': () => committed({ acks: '7' }),
  'commit 401': () => committed({}, { authorization: undefined }),
  'commit 403': () => committed({ topic: 'other' }),
  'commit 409': () => twice(409, 'c', (key, body) => committed({ 'Idempotency-Key': key }, { body })),
  'commit 413': () => committed({}, { body: large }),
  'commit 422': () => twice(422, 'commit', (key, body) => committed({ 'Idempotency-Key': key }, { body })),
  'commit 429': () => among(429, () => committed({}, { authorization: slow })),
  'commit 503': async () => {
    const full = await at(small);
    return among(503, () => full.call('commit', { parameters: { topic: 'test' }, authorization, body: 'x' }));
  },
  'pull 200': async () => {
    await sent({ 'bigpipe-topic': 'fetched' });
    return pulled('{"waitSeconds":20}');
  },
  'pull 400': () => pulled('{"max":0}'),
  'pull 401': () => pulled('{}', { authorization: 'Basic x' }),
  'pull 403': () => pulled('{}', { parameters: { group: 'others' } }),
  'pull 404': () => pulled('{}', { parameters: { group: 'nobody' } }),
  'pull 409': () => pulled('{}', { parameters: { group: 'G1' } }),
  'pull 413': () => pulled(large),
  'pull 429': () => among(429, () => pulled('{}', { authorization: slow })),
  'pull 503': async () => (await at(small)).call('pull', { ...fromP, body: '{"waitSeconds":20}' }),
  'rpcCall 200': () => rpc('{}'),
  'rpcCall 413': () => rpc(large),
};

for (const verb of ['ack', 'nack', 'extend'])
  Object.assign(ways, {
    [`${verb} 200`]: async () => leased(verb, { leases: [(await fetched()).lease, unknownLease] }),
    [`${verb} 400`]: () => leased(verb, { leases: [] }),
    [`${verb} 401`]: () => leased(verb, {}, { authorization: 'Basic x' }),
    [`${verb} 403`]: () => leased(verb, {}, { parameters: { group: 'others' } }),
    [`${verb} 404`]: () => leased(verb, {}, { parameters: { group: 'nobody' } }),
    [`${verb} 409`]: () => leased(verb, { leases: [unknownLease] }),
    [`${verb} 413`]: () => leased(verb, {}, { body: large }),
  });

/** These need a disk that fails. */
const onABrokenDisk = [
  'sendMessage 500',
  'commit 500',
  'cancelMessage 500',
  'beginTransaction 500',
  'getTransaction 500',
  'commitTransaction 500',
  'rollBackTransaction 500',
];
/** These need a second node, which is silent: test/fault/kafka-pull-nodes. */
const ofAnotherNode = ['ack 503', 'nack 503', 'extend 503'];

describe('the document', () => {
  test('is OpenAPI 3.1, its references lead somewhere, its names are told once', () => {
    expect(api.document.openapi).toBe('3.1.0');
    const text = JSON.stringify(api.document);
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      expect([name, (name as string) in api.document.components.schemas]).toEqual([name, true]);
    const ids = api.operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('the ways below are to all of its answers, and to no other', () => {
    const documented = api.operations.flatMap(({ operationId, responses }) =>
      Object.keys(responses).map((status) => `${operationId} ${status}`),
    );
    expect([...Object.keys(ways), ...onABrokenDisk, ...ofAnotherNode].sort()).toEqual(documented.sort());
  });

  test.each(Object.entries(ways))('%s', async (name, way) => {
    const [id = '', status] = name.split(' ');
    const answer = await way();
    if (status === 'default') expect(answer.headers['bigpipe-reply']).toBe('answered');
    else expect([answer.status, answer.text]).toEqual([Number(status), expect.any(String)]);
    expect(api.undocumented(id, answer)).toEqual([]);
  });

  test('the page for people is there, with all it needs', async () => {
    const page = await fetch(`${bigpipe.origin}/docs`);
    const html = await page.text();
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')]);
    const parts = [...html.matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, path]) => path as string);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts)
      expect([part, (await fetch(new URL(part, `${bigpipe.origin}/docs`))).status]).toEqual([part, 200]);
  });
});

test('a client that knows only the document sends, asks and cancels', async () => {
  const { properties = {} } = api.document.components.schemas['Message'] as { properties?: object };
  expect(Object.keys(properties)).toContain('delay');
  const body = JSON.stringify({ url: target.url('/client'), type: 'a.b', data: { a: 1 }, delay: '1h', key: 'k' });
  const taken = await api.call('sendMessage', { type: jsonType, body, authorization });
  expect(taken.status).toBe(202);
  const { id } = JSON.parse(taken.text) as { id: string };
  const asked = await api.call('getMessage', { parameters: { id }, authorization });
  expect(JSON.parse(asked.text)).toMatchObject({ id, type: 'a.b', key: 'k', cancelled: false });
  const cancelled = await api.call('cancelMessage', { parameters: { id }, authorization });
  expect(JSON.parse(cancelled.text)).toMatchObject({ id, cancelled: true });
});

describe('on a disk that fails', () => {
  const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
int fdatasync(int fd) {
  static int (*next)(int);
  const char *file = getenv("FAIL_SYNC");
  if (file != NULL && access(file, F_OK) == 0) { errno = EIO; return -1; }
  if (next == NULL) next = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
  return next(fd);
}
int fsync(int fd) { return fdatasync(fd); }
`;

  test('500, as documented', async (context) => {
    let preload: Preload;
    try {
      preload = new Preload(source);
    } catch (error) {
      context.skip(String(error));
      return;
    }
    const broken = await BigpipeProcess.start({
      config: baseConfig({
        'kafka.consumer.list': [baseConsumer({ url: target.url() })],
        'transaction.enabled': true,
      }),
      env: { LD_PRELOAD: preload.library, FAIL_SYNC: `${preload.directory}/trigger` },
    });
    try {
      const other = await at(broken);
      const taken = await other.call('sendMessage', {
        parameters: { 'bigpipe-topic': 'test', 'bigpipe-delay': '1h' },
        authorization,
        body: 'x',
      });
      expect(taken.status).toBe(202);
      await writeFile(join(preload.directory, 'trigger'), '');
      const answers = {
        sendMessage: () =>
          other.call('sendMessage', { parameters: { 'bigpipe-topic': 'test' }, authorization, body: 'x' }),
        commit: () => other.call('commit', { parameters: { topic: 'test' }, authorization, body: 'x' }),
        cancelMessage: () => other.call('cancelMessage', { parameters: { id: idOf(taken) }, authorization }),
        beginTransaction: () => other.call('beginTransaction', { authorization, body: form() }),
        getTransaction: () => other.call('getTransaction', fresh()),
        commitTransaction: () => other.call('commitTransaction', fresh()),
        rollBackTransaction: () => other.call('rollBackTransaction', fresh()),
      };
      for (const [id, send] of Object.entries(answers)) {
        const answer = await until(`${id} is answered with 500`, async () => {
          const one = await send();
          return one.status === 500 ? one : null;
        });
        expect(api.undocumented(id, answer)).toEqual([]);
      }
    } finally {
      await broken.dispose();
      preload.remove();
    }
  }, 180_000);
});
