// Two processes on a real Kafka; the one that asks is killed -9 while its questions are with the producer: the other one takes over, and nothing is asked twice.
import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { TargetServer } from '../support/target-server.js';
import { begun, bodiesAt, checksAt, transactionConfig, untilState } from '../support/transactions.js';
import { until } from '../support/until.js';

const count = 12;
const boundMs = 120_000;
const usual = { 'transaction.first.check': 0 };

interface Figures {
  readonly isKeeper: number;
  readonly checksAsked: number;
}

const figuresOf = async (node: BigpipeProcess) =>
  ((await node.stats()) as unknown as { transactionStats: Figures }).transactionStats;

describe.skipIf(!canStartKafka)('the keeper of transactions on Kafka', () => {
  let kafka: LocalCluster;
  let producer: TargetServer;
  let nodes: BigpipeProcess[];
  /** Questions that wait for their answers. */
  let held: ServerResponse[];
  let isHolding: boolean;

  beforeAll(async () => {
    kafka = await ownKafka(1);
  }, 300_000);

  afterAll(() => kafka?.remove());

  beforeEach(async () => {
    held = [];
    isHolding = true;
    producer = await TargetServer.start(({ path }, response) => {
      if (path === '/check' && isHolding) held.push(response);
      else response.end('{"state":"commit"}');
    });
    const config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': kafka.servers,
      'kafka.consumer.list': [baseConsumer({ retries: 20, timeout: 60_000 })],
      'kafka.consumer.session.timeout': 6000,
      'transaction.check.timeout': 60_000,
      ...transactionConfig(usual),
    });
    nodes = [await BigpipeProcess.start({ config })];
    nodes.push(await BigpipeProcess.start({ config }));
  }, 180_000);

  afterEach(async () => {
    for (const node of nodes) await node.dispose();
    await producer.close();
  });

  const keeperAmong = (some: readonly BigpipeProcess[]) =>
    until(
      'one of them is the keeper',
      async () => {
        const figures = await Promise.all(some.map(figuresOf));
        return some.find((_, i) => figures[i]?.isKeeper === 1);
      },
      boundMs,
    );
  /** They are counted once they are written, which may be after they have been answered. */
  const untilAsked = (node: BigpipeProcess, wantedCount: number) =>
    until('it has counted them', async () => (await figuresOf(node)).checksAsked >= wantedCount, boundMs);
  const questions = () => checksAt(producer).map(({ headers }) => String(headers['bigpipe-message-id']));
  const answerAll = () => {
    isHolding = false;
    for (const response of held) response.end('{"state":"commit"}');
  };
  const beginSome = (where: readonly BigpipeProcess[], name: string) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        begun(where[i % where.length] as BigpipeProcess, {
          messages: [{ url: producer.url('/in'), data: `${name} ${i}`, key: `${i}` }],
          checkUrl: producer.url('/check'),
        }),
      ),
    );
  const wanted = (name: string) => new Set(Array.from({ length: count }, (_, i) => `${name} ${i}`));

  test('killed between asking and writing: the other one takes over, and each was asked about once', async () => {
    const keeper = await keeperAmong(nodes);
    const other = nodes.find((node) => node !== keeper) as BigpipeProcess;
    const ids = await beginSome(nodes, 'a');
    await until('all are asked about', () => new Set(questions()).size === count, boundMs);
    await untilAsked(keeper, count);
    expect((await figuresOf(other)).checksAsked).toBe(0);
    await keeper.end('SIGKILL');
    answerAll();
    for (const id of ids)
      expect(await untilState(other, id, 'committed', boundMs)).toMatchObject({ decidedBy: 'check' });
    await until(
      'all arrive',
      () => [...wanted('a')].every((body) => bodiesAt(producer, '/in').includes(body)),
      boundMs,
    );
    // Sent again maybe, by whoever has the question now; but never put anew.
    expect(new Set(questions())).toEqual(new Set(ids.map((id) => `${id}:0`)));
    await until('it is the keeper', async () => (await figuresOf(other)).isKeeper === 1, boundMs);
    const later = await beginSome([other], 'b');
    for (const id of later) await untilState(other, id, 'committed', boundMs);
    await untilAsked(other, count);
  }, 300_000);

  test('frozen, and awake again: it knows that the other one has taken over, and asks about nothing', async () => {
    isHolding = false;
    const keeper = await keeperAmong(nodes);
    const other = nodes.find((node) => node !== keeper) as BigpipeProcess;
    keeper.child.kill('SIGSTOP');
    const ids = await beginSome([other], 'c');
    for (const id of ids) await untilState(other, id, 'committed', boundMs);
    keeper.child.kill('SIGCONT');
    await until('it knows that it is none any more', async () => (await figuresOf(keeper)).isKeeper === 0, boundMs);
    const [before, others] = await Promise.all(
      [keeper, other].map(async (node) => (await figuresOf(node)).checksAsked),
    );
    const more = await beginSome(nodes, 'd');
    for (const id of more) await untilState(keeper, id, 'committed', boundMs);
    await untilAsked(other, (others ?? 0) + count);
    expect((await figuresOf(keeper)).checksAsked).toBe(before);
    const asked = questions().filter((question) => more.some((id) => question.startsWith(id)));
    expect(new Set(asked)).toEqual(new Set(more.map((id) => `${id}:0`)));
  }, 300_000);
});
