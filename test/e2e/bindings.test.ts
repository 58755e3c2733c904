// A publisher names a topic and a type; whoever subscribed gets it, each once; what nobody wants is kept and counted.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { replaceConfig, untilCounted } from '../support/live-config.js';
import { send, sendJson, sendLines } from '../support/messages-door.js';
import { rawRequest } from '../support/raw-request.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const group = (groupId: string, claim: Config): Config =>
  baseConsumer({ groupId, url: target.url(`/${groupId}`), ...claim });

/** What came to a group: bodies, sorted. */
const cameTo = (groupId: string) =>
  target.arrivals
    .filter(({ path }) => path === `/${groupId}`)
    .map(({ body }) => body.toString())
    .sort();

const groups = (): Config[] => [
  group('direct', { bindings: [{ kind: 'direct', type: 'order.paid' }] }),
  // Several of its bindings match the same message.
  group('several', {
    bindings: [
      { kind: 'direct', type: 'order.paid' },
      { kind: 'regex', type: 'order\\..*' },
      { kind: 'regex', type: 'pai', anchored: false },
    ],
  }),
  group('anchored', { bindings: [{ kind: 'regex', type: 'pai' }] }),
  group('french', {
    bindings: [{ kind: 'regex', type: 'order\\.(paid|sent)' }],
    filters: [{ any: [{ prefix: { source: '/shops/fr' } }, { exact: { 'header.x-country': 'fr' } }] }],
  }),
];

async function commit(query: string, body: string): Promise<void> {
  const headers = { authorization: basic('system-1', 'i am good') };
  const { status } = await rawRequest(`${bigpipe.origin}/commit?topic=test&${query}`, {
    headers,
    body: [Buffer.from(body)],
  });
  expect(status).toBe(200);
}

async function publishOnEveryDoor(): Promise<void> {
  const topic = { 'bigpipe-topic': 'test' };
  const statuses = [
    await send(bigpipe, { ...topic, 'bigpipe-type': 'order.paid' }, 'v1'),
    await send(bigpipe, { ...topic, 'bigpipe-type': 'order.paid', 'bigpipe-forward-x-country': 'fr' }, 'v1-fr'),
    await sendJson(bigpipe, { topic: 'test', type: 'order.sent', data: 'json' }),
    await send(
      bigpipe,
      { ...topic, 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 'order.paid', 'ce-source': '/shops/fr/1' },
      'event-fr',
    ),
    await sendLines(bigpipe, [{ topic: 'test', type: 'order.lost', data: 'batch' }]),
  ].map(({ status }) => status);
  expect(statuses).toEqual([202, 202, 202, 202, 200]);
  await commit('type=order.paid', 'commit');
  await commit('type=shipment', 'unwanted');
  await commit('', 'typeless');
  const { body } = await bigpipe.call({ url: target.url('/own'), type: 'order.paid', data: 'rpc' });
  expect(body.errno).toBe(0);
}

test('each group gets what it is bound to once, whatever the door; the rest is counted, and nothing comes again', async () => {
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'kafka.consumer.list': groups() }) });
  await publishOnEveryDoor();
  const counts = await untilStats(bigpipe, 'all is read', ({ consumerStats }) =>
    consumerStats.every(({ handleMessage, passedOver }) => Number(handleMessage) + Number(passedOver) === 9),
  );
  // The rpc call goes where its URL says, for each of the two groups that want its type.
  await until('all have come', () => target.arrivals.length === 4 + 6 + 2 + 2);
  expect(cameTo('direct')).toEqual(['commit', 'event-fr', 'v1', 'v1-fr']);
  expect(cameTo('several')).toEqual(['batch', 'commit', 'event-fr', 'json', 'v1', 'v1-fr']);
  expect(cameTo('anchored')).toEqual([]);
  expect(cameTo('french')).toEqual(['event-fr', 'v1-fr']);
  expect(counts?.clientStats['test']?.['unmatched']).toBe(2);
  const { length } = target.arrivals;
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['test']?.['rpcSuccess'] === length);

  await bigpipe.end('SIGTERM');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await commit('type=order.paid', 'after');
  await until('the newest has come', () => cameTo('several').includes('after') && cameTo('direct').includes('after'));
  expect(target.arrivals).toHaveLength(length + 2);
});

test('bindings change where they stand, for what is read from then on', async () => {
  const config = (type: string) =>
    baseConfig({ 'kafka.consumer.list': [group('G', { bindings: [{ kind: 'direct', type }] })] });
  bigpipe = await BigpipeProcess.start({ config: config('a') });
  await commit('type=a', 'a1');
  await commit('type=b', 'b1');
  await untilStats(bigpipe, 'both are read', ({ consumerStats: [one] }) => one?.['passedOver'] === 1);
  await replaceConfig(bigpipe, config('b'));
  await untilCounted(bigpipe, 'changed', 1);
  await commit('type=a', 'a2');
  await commit('type=b', 'b2');
  await until('the new binding holds', () => cameTo('G').includes('b2'));
  await untilStats(bigpipe, 'all is read', ({ consumerStats: [one] }) => one?.['passedOver'] === 2);
  expect(cameTo('G')).toEqual(['a1', 'b2']);
});

test('a configuration says where a binding or a filter is wrong', async () => {
  bigpipe = await BigpipeProcess.spawn({
    config: baseConfig({
      'kafka.consumer.list': [
        group('G', {
          bindings: [
            { kind: 'regex', type: '(x{1000}){1000}' },
            { kind: 'direct' },
            { kind: 'fanout', type: 'a' },
            { kind: 'regx' },
          ],
          filters: [{ sql: "type = 'a'" }],
        }),
      ],
    }),
  });
  expect(await bigpipe.exited).toBe(78);
  const told = bigpipe.stderr.join('\n');
  for (const place of [
    'bindings[0].type: found',
    'bindings[1].type: found nothing',
    'bindings[2].type',
    'bindings[3].kind',
    'filters: found',
  ])
    expect(told).toContain(`kafka.consumer.list[0].${place}`);
  expect(told).toContain('invalid repeat count');
});
