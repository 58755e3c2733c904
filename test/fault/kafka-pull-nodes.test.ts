// Messages are fetched, acked, nacked and extended at any node of a Kafka's group, whichever has them; also when the one that has them dies.
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConsumer } from '../support/bigpipe-process.js';
import { hasKafka, sharedKafka } from '../support/kafka-cluster.js';
import { nodeConfig, ownedBy, untilShared } from '../support/kafka-nodes.js';
import { goodCaller, sendLines, stateOf } from '../support/messages-door.js';
import { type Pulled, Puller, textOf } from '../support/puller.js';
import { asSystem1, ReflectedClient } from '../support/reflected-client.js';
import { until } from '../support/until.js';
import { explain } from '../support/why-waiting.js';

interface Answer {
  readonly delivery?: { readonly lease: string; readonly body: Buffer };
  readonly fault?: object;
}

const boundMs = 90_000;
const partitions = 4;
/** Fresh names: the Kafka is shared. */
const [many, single] = [`nodes-many-${process.pid}`, `nodes-single-${process.pid}`] as const;

describe.skipIf(!hasKafka)('fetching at any node', () => {
  let nodes: [BigpipeProcess, BigpipeProcess];

  const pullerAt = (node: 0 | 1, group: string = many) => new Puller(nodes[node].origin, group);
  const leasedAt = async (node: 0 | 1) =>
    ((await nodes[node].stats()) as unknown as { pullStats: { leased: number } }).pullStats.leased;
  const tagOf = ({ lease }: Pulled) => lease.slice(0, 8);

  beforeAll(async () => {
    const servers = await sharedKafka();
    const config = nodeConfig(servers, {
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'kafka.topics': [
        { name: many, partitions },
        { name: single, partitions: 1 },
      ],
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: many, topics: [single], pull: [many, single] },
        { name: 'stranger', secret: 'who', topic: many },
      ],
      'kafka.consumer.list': [many, single].map((name) =>
        baseConsumer({ topic: name, groupId: name, delivery: 'pull', timeout: 600_000, retries: 10 }),
      ),
    });
    nodes = await Promise.all([BigpipeProcess.start({ config }), BigpipeProcess.start({ config })]);
    await untilShared(nodes, many, many, partitions);
  }, 240_000);

  afterAll(async () => {
    await Promise.all((nodes ?? []).map((node) => node.dispose()));
  });

  /** By bodies, until all have come; without a key, so that none waits for another. */
  async function fetchAll(puller: Puller, wanted: readonly string[]): Promise<readonly Pulled[]> {
    const all: Pulled[] = [];
    await until(
      'all have come',
      async () => {
        all.push(...(await puller.pull({ max: 10, waitSeconds: 2 })));
        return all.length >= wanted.length;
      },
      boundMs,
    );
    expect(all.map(textOf).sort()).toEqual([...wanted].sort());
    return all;
  }

  const send = async (topic: string, bodies: readonly string[]) => {
    const lines = bodies.map((data, i) => ({ topic, key: `${topic} ${data} ${i}`, data }));
    expect((await sendLines(nodes[0], lines)).status).toBe(200);
  };

  const bodiesOf = (name: string, count = 40) => Array.from({ length: count }, (_, i) => `${name}-${i}`);

  test('a node gives out what the other one has, and takes acks for it', async () => {
    const bodies = bodiesOf('a');
    await send(many, bodies);
    const fetched = await fetchAll(pullerAt(0), bodies);
    const owners = new Set(fetched.map(tagOf));
    expect(owners.size).toBe(2);
    // At either node, in one request, whoever has them.
    expect((await pullerAt(0).ack(...fetched.slice(0, 20))).body).toEqual({ done: 20 });
    expect((await pullerAt(1).ack(...fetched.slice(20))).body).toEqual({ done: 20 });
    // The same again is done again, at any node.
    expect((await pullerAt(1).ack(...fetched)).body).toEqual({ done: 40 });
    expect(await pullerAt(1).pull({ waitSeconds: 0 })).toEqual([]);
  }, 120_000);

  test('nacks and extensions reach the node that has it; of what is no lease each is told', async () => {
    const bodies = bodiesOf('b', 12);
    await send(many, bodies);
    const fetched = await fetchAll(pullerAt(1), bodies);
    expect((await pullerAt(0).extend(fetched, 300)).body).toEqual({ done: 12 });
    expect((await pullerAt(0).nack(fetched, { delaySeconds: 0, reason: 'not now' })).body).toEqual({ done: 12 });
    const again = await fetchAll(pullerAt(0), bodies);
    expect(new Set(again.map(({ redelivery }) => redelivery))).toEqual(new Set(['nack']));
    const gone = again.map(({ lease }) => `00000000${lease.slice(8)}`);
    const { status, body } = await pullerAt(0).post('ack', { leases: gone.slice(0, 1) });
    expect([status, body.code]).toEqual([409, 'lease-lost']);
    expect((await pullerAt(1).ack(...again)).body).toEqual({ done: 12 });
  }, 120_000);

  test('a node that has nothing of the group waits at the one that has', async () => {
    const owned = await until('one has it', async () => {
      const counts = await Promise.all(nodes.map((node) => ownedBy(node, single, single)));
      return counts.some((count) => count === 1) && counts;
    });
    const without = owned[0] === 0 ? 0 : 1;
    const waiting = pullerAt(without, single).pull({ waitSeconds: 30 });
    await send(single, ['one']);
    const [message] = await waiting;
    expect(message && textOf(message)).toBe('one');
    expect((await pullerAt(without, single).ack(message as Pulled)).body).toEqual({ done: 1 });
  }, 120_000);

  test('of what another node has a node says so, and what has ended there cannot be cancelled', async () => {
    const owner = (await ownedBy(nodes[0], single, single)) === 1 ? 0 : 1;
    const other = nodes[1 - owner] as BigpipeProcess;
    const { lines } = await sendLines(other, [{ topic: single, data: 'two' }]);
    const id = lines[0]?.id as string;
    const stateAt = async (node: BigpipeProcess) => (await stateOf(node, id)).deliveries.map(({ state }) => state);
    const [message] = await pullerAt(owner, single).pull({ waitSeconds: 30 });
    expect(await stateAt(nodes[owner])).toEqual(['in-flight']);
    expect(await stateAt(other)).toEqual(['unknown']);
    await pullerAt(owner, single).ack(message as Pulled);
    const cancel = () =>
      fetch(`${other.origin}/v1/messages/${id}`, { method: 'DELETE', headers: { authorization: goodCaller } });
    const explained = async () => (await explain(other, { id })).state;
    await until('its mark is known', async () => (await explained()) === 'ended at another node', boundMs);
    expect((await cancel()).status).toBe(409);
  }, 120_000);

  test('a stream at one node gets what the other one has too, and is taken for it', async () => {
    const bodies = bodiesOf('stream');
    await send(many, bodies);
    const client = await ReflectedClient.connect(`127.0.0.1:${nodes[0].grpcPort}`);
    const call = client.stub['Subscribe']?.(asSystem1) as ClientDuplexStream<unknown, Answer>;
    const got = new Map<string, string>();
    const faults: unknown[] = [];
    try {
      call.on('data', ({ delivery, fault }: Answer) => {
        if (fault !== undefined) faults.push(fault);
        if (delivery === undefined) return;
        got.set(delivery.body.toString(), delivery.lease);
        call.write({ acks: [delivery.lease], credits: 1 });
      });
      call.on('error', (error) => faults.push(error));
      call.write({ start: { group: many, lease: { seconds: 600 } }, credits: 8 });
      await until('all have come', () => got.size === bodies.length, boundMs);
      expect(new Set([...got.values()].map((lease) => lease.slice(0, 8))).size).toBe(2);
      await until('all are done with', async () => (await leasedAt(0)) + (await leasedAt(1)) === 0, boundMs);
      expect(faults).toEqual([]);
    } finally {
      call.cancel();
      client.close();
    }
  }, 120_000);

  test('what no node has signed is let in as nobody', async () => {
    const forged = { 'bigpipe-node': `00000000 00000000 ${Date.now()} ${'0'.repeat(64)}`, 'bigpipe-node-caller': 'x' };
    const { headers } = pullerAt(0);
    const { status, body } = await pullerAt(0).post('pull', {}, { headers: { ...headers, ...forged } });
    expect([status, body.code]).toEqual([401, 'unauthorized']);
    const stranger = new Puller(nodes[0].origin, many, ['stranger', 'who']);
    expect((await stranger.post('pull', {})).status).toBe(403);
  }, 60_000);

  test('an owner that is killed is told of, and its messages come again at the other', async () => {
    const bodies = bodiesOf('c');
    await send(many, bodies);
    const fetched = await fetchAll(pullerAt(0), bodies);
    await nodes[1].end('SIGKILL');
    // What this node has is done; of what the other one had nobody can say yet.
    const { body } = await pullerAt(0).ack(...fetched);
    const codes = new Set(body.failed?.map(({ code }) => code));
    expect(codes).toEqual(new Set(['unreachable']));
    const lost = fetched.filter(({ lease }) => body.failed?.some((failed) => failed.lease === lease));
    expect(body.done).toBe(fetched.length - lost.length);
    expect(lost.length * (body.done ?? 0)).toBeGreaterThan(0);
    const told = new Set<string>();
    await until(
      'its leases are lost',
      async () => {
        const { status, body: answer } = await pullerAt(0).ack(...lost);
        told.add(`${status} ${answer.code}`);
        return status === 409;
      },
      boundMs,
    );
    expect(told).toEqual(new Set(['503 owner-unreachable', '409 lease-lost']));
    const again = await fetchAll(pullerAt(0), lost.map(textOf));
    expect(again.every(({ redelivery }) => redelivery !== undefined)).toBe(true);
    expect((await pullerAt(0).ack(...again)).body).toEqual({ done: again.length });
  }, 180_000);
});
