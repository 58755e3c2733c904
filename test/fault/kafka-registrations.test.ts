// Subscriptions that are registered at one node of a Kafka are served by all of them, and outlive every process.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { hasKafka, sharedKafka } from '../support/kafka-cluster.js';
import { nodeConfig, untilShared } from '../support/kafka-nodes.js';
import { send } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const boundMs = 90_000;
const partitions = 4;
/** Fresh names: the Kafka is shared. */
const topic = `registered-${process.pid}`;
const group = `${topic}-group`;

describe.skipIf(!hasKafka)('registered on Kafka', () => {
  let nodes: [BigpipeProcess, BigpipeProcess];
  let target: TargetServer;
  let sent = 0;

  beforeAll(async () => {
    target = await TargetServer.start();
    const config = nodeConfig(await sharedKafka(), {
      'kafka.topics': [{ name: topic, partitions }],
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic }],
      'kafka.consumer.list': [],
    });
    nodes = await Promise.all([BigpipeProcess.start({ config }), BigpipeProcess.start({ config })]);
  }, 240_000);

  afterAll(async () => {
    await Promise.all((nodes ?? []).map((node) => node.dispose()));
    await target?.close();
  });

  /** To every partition, as the keys choose; each once. */
  async function allCome(node: 0 | 1): Promise<void> {
    const ids = Array.from({ length: 20 }, (_, i) => `r-${sent + i}`);
    sent += ids.length;
    for (const id of ids) {
      const headers = { 'bigpipe-topic': topic, 'bigpipe-message-id': id, 'bigpipe-key': id };
      expect((await send(nodes[node], headers, id)).status).toBe(202);
    }
    const counts = () => target.countById();
    await until('all have come', () => ids.every((id) => counts().has(id)), boundMs);
    expect(ids.filter((id) => counts().get(id) !== 1)).toEqual([]);
  }

  const pageAt = async (node: 0 | 1) => manage(nodes[node], 'GET', group);

  test('registered at one, served by both; an endpoint that comes at the other is known to both', async () => {
    const beginMs = performance.now();
    const putting = manage(nodes[0], 'PUT', group, { topic, timeout: 5000 });
    await until('the other one knows it', async () => (await pageAt(1)).status === 200, boundMs);
    const knownMs = performance.now() - beginMs;
    const { status, etag } = await putting;
    const answeredMs = performance.now() - beginMs;
    expect([status, etag]).toEqual([201, expect.stringMatching(/^"\d+"$/)]);
    expect(await pageAt(1)).toMatchObject({ etag, body: { inForce: true } });
    await untilShared(nodes, group, topic, partitions);
    const sharedMs = performance.now() - beginMs;
    const url = target.url('/hook');
    expect((await manage(nodes[1], 'POST', `${group}/endpoints`, { url, ttlSeconds: 3600 })).status).toBe(201);
    const leases = [expect.objectContaining({ url })];
    await until('the first one knows it', async () => {
      const { endpoints } = (await pageAt(0)).body as { endpoints: unknown[] };
      return endpoints.length === 1;
    });
    expect((await pageAt(0)).body['endpoints']).toEqual(leases);
    console.log(
      `registered: known to the other node after ${Math.round(knownMs)} ms, answered after ${Math.round(answeredMs)} ms, shared out after ${Math.round(sharedMs)} ms`,
    );
    await allCome(0);
  }, 240_000);

  test('of two changes on the same version one holds, at either node', async () => {
    const { etag } = await pageAt(0);
    const put = (node: 0 | 1, timeout: number) =>
      manage(nodes[node], 'PUT', group, { topic, timeout }, { 'if-match': etag ?? '' });
    const answers = await Promise.all([put(0, 6000), put(1, 7000)]);
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 412]);
    const winner = answers.find(({ status }) => status === 200);
    await until('both have it', async () => {
      const pages = await Promise.all([pageAt(0), pageAt(1)]);
      return pages.every((page) => page.etag === winner?.etag);
    });
    await allCome(1);
  }, 120_000);

  test('one is killed, the other one ends: what was registered is there again', async () => {
    const { etag } = await pageAt(0);
    await nodes[1].end('SIGKILL');
    expect(await nodes[0].end('SIGTERM')).toBe(0);
    nodes = (await Promise.all(nodes.map(({ directory }) => BigpipeProcess.start({ directory })))) as typeof nodes;
    for (const node of [0, 1] as const) {
      const page = await pageAt(node);
      expect([page.status, page.etag, page.body['inForce']]).toEqual([200, etag, true]);
    }
    await allCome(0);
    expect((await manage(nodes[1], 'DELETE', group)).status).toBe(204);
    await until('the other one has dropped it', async () => (await pageAt(0)).status === 404, boundMs);
  }, 240_000);
});
