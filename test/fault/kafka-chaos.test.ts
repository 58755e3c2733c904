// Three processes on three nodes while nodes and processes are killed and frozen at random: the ledger stays right.
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** CHAOS_SECONDS=600 for a long one. */
const seconds = Number(process.env['CHAOS_SECONDS'] ?? 30);
const callers = 12;
const partitions = 6;
const sessionTimeoutMs = 6000;
const answerMs = 10;
const boundMs = 180_000;

describe.skipIf(!canStartKafka)('nodes and processes that die and freeze', () => {
  let kafka: LocalCluster;
  let target: TargetServer;
  const ledger = new Ledger();
  const fleet: BigpipeProcess[] = [];
  let ended = false;

  beforeAll(async () => {
    kafka = await ownKafka(3);
    target = await TargetServer.start((_arrival, response) => {
      setTimeout(() => response.end(), answerMs);
    });
    const config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': kafka.servers,
      'kafka.consumer.session.timeout': sessionTimeoutMs,
      'kafka.topics': [{ name: 'test', partitions }],
      'kafka.consumer.list': [baseConsumer({ timeout: 3000 })],
    });
    fleet.push(...(await Promise.all([0, 1, 2].map(() => BigpipeProcess.start({ config })))));
  }, 300_000);

  afterAll(async () => {
    ended = true;
    await Promise.all(fleet.map((bigpipe) => bigpipe.dispose()));
    await target?.close();
    await kafka?.remove();
  }, 120_000);

  const numberOf = (id: string) => Number(id.slice(id.lastIndexOf('-') + 1));
  const keyOf = (id: string) => id.slice(0, id.lastIndexOf('-'));
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  async function callInTurn(caller: number): Promise<void> {
    for (let number = 0; !ended; number += 1) {
      const bigpipe = fleet[randomInt(fleet.length)] as BigpipeProcess;
      const call = ledger.call(bigpipe, `c${caller}-${number}`, { url: target.url(), partition_key: `c${caller}` });
      if (!(await call)) await sleep(50);
    }
  }

  /** First arrivals of accepted calls that came before that of an earlier accepted call of their key. */
  const outOfOrder = () => {
    const newest = new Map<string, number>();
    const seen = new Set<string>();
    return target.arrivals.flatMap(({ headers }) => {
      const id = String(headers['bigpipe-message-id']);
      if (seen.has(id) || !ledger.accepted.has(id)) return [];
      seen.add(id);
      const before = newest.get(keyOf(id)) ?? -1;
      newest.set(keyOf(id), Math.max(before, numberOf(id)));
      return numberOf(id) < before ? [`${id} after ${before}`] : [];
    });
  };

  const strokes = {
    async nodeKilled() {
      const node = kafka.nodes[randomInt(3)];
      await node?.kill();
      await sleep(randomInt(2000, 8000));
      await node?.start();
      await node?.answering();
    },
    async nodeFrozen() {
      const node = kafka.nodes[randomInt(3)];
      await node?.freeze();
      await sleep(randomInt(1000, 9000));
      await node?.thaw();
    },
    async processKilled() {
      const i = randomInt(3);
      const bigpipe = fleet[i] as BigpipeProcess;
      await bigpipe.end('SIGKILL');
      fleet[i] = await BigpipeProcess.start({ directory: bigpipe.directory });
    },
    async processFrozen() {
      const bigpipe = fleet[randomInt(3)] as BigpipeProcess;
      bigpipe.child.kill('SIGSTOP');
      await sleep(randomInt(1000, sessionTimeoutMs + 3000));
      bigpipe.child.kill('SIGCONT');
    },
    async processRestarted() {
      const i = randomInt(3);
      const bigpipe = fleet[i] as BigpipeProcess;
      await bigpipe.end('SIGTERM');
      fleet[i] = await BigpipeProcess.start({ directory: bigpipe.directory });
    },
  };

  test(
    'nothing accepted is lost or out of order, nobody stays stuck',
    async () => {
      const calling = Array.from({ length: callers }, (_, caller) => callInTurn(caller));
      const end = performance.now() + seconds * 1000;
      const done: string[] = [];
      while (performance.now() < end) {
        const names = Object.keys(strokes) as (keyof typeof strokes)[];
        const name = names[randomInt(names.length)] as keyof typeof strokes;
        done.push(name);
        await strokes[name]();
        await sleep(randomInt(500, 3000));
      }
      const from = target.arrivals.length;
      await until('calls flow on', () => target.arrivals.length > from + 200, boundMs);
      ended = true;
      await Promise.all(calling);
      ledger.hangUp();
      await until('every accepted call has arrived', () => ledger.allArrived(target), boundMs);
      // Nobody knows what became of these.
      for (const [id, { error }] of ledger.refused) if (error === 'storage-failed') ledger.unknown.add(id);
      const copies = [...target.countById().values()].reduce((sum, count) => sum + count - 1, 0);
      process.stdout.write(
        `${seconds} s, ${done.length} strokes (${done.join(', ')}): ${ledger.accepted.size} accepted, ` +
          `${ledger.unknown.size} unknown, ${ledger.refused.size} refused, ${copies} repeats\n`,
      );
      expect(ledger.faults(target, done.length + 2)).toEqual([]);
      expect(outOfOrder()).toEqual([]);
    },
    seconds * 1000 + 600_000,
  );
});
