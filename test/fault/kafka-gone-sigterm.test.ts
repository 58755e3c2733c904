// SIGTERM while Kafka does not answer: the process ends within its bounds, and what it could not commit comes again.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const calls = 40;

describe.skipIf(!canStartKafka)('SIGTERM while Kafka is gone', () => {
  let kafka: LocalCluster;
  let target: TargetServer;
  const started: BigpipeProcess[] = [];
  const ledger = new Ledger();

  beforeAll(async () => {
    kafka = await ownKafka(1);
    target = await TargetServer.start((_arrival, response) => void response.end());
  }, 300_000);

  afterAll(async () => {
    await Promise.all(started.map((bigpipe) => bigpipe.dispose()));
    await target?.close();
    await kafka?.remove();
  }, 120_000);

  const start = async () => {
    const config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': kafka.servers,
      'kafka.consumer.session.timeout': 6000,
      'kafka.consumer.list': [baseConsumer({ timeout: 1000 })],
    });
    const bigpipe = await BigpipeProcess.start({ config });
    started.push(bigpipe);
    return bigpipe;
  };

  test.each(['killed', 'frozen'])(
    'one that was %s',
    async (how) => {
      const [node] = kafka.nodes;
      const bigpipe = await start();
      const call = (i: number) => ledger.call(bigpipe, `${how}-${i}`, { url: target.url(), partition_key: 'k' });
      for (let i = 0; i < calls; i += 1) await call(i);
      await until('some have arrived', () => target.arrivals.length > 0);
      await (how === 'killed' ? node?.kill() : node?.freeze());
      const beforeMs = performance.now();
      expect(await bigpipe.end('SIGTERM')).toBe(0);
      console.log(`${how}: ended after ${Math.round(performance.now() - beforeMs)} ms`);
      if (how === 'killed') await node?.start();
      else await node?.thaw();
      await node?.answering();
      const next = await start();
      await until('all have arrived', () => ledger.allArrived(target), 60_000);
      expect(await next.end('SIGTERM')).toBe(0);
    },
    240_000,
  );
});
