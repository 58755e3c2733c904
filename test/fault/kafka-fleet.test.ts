// Three processes share the partitions of one Kafka: restarted in turn, frozen, killed, while calls come in and go out.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const callers = 12;
const partitions = 6;
const sessionTimeoutMs = 6000;
/** How long the receiver takes: deliveries are always under way. */
const answerMs = 20;
const boundMs = 120_000;

describe.skipIf(!canStartKafka)('three processes on one Kafka', () => {
  let kafka: LocalCluster;
  let target: TargetServer;
  let fleet: BigpipeProcess[] = [];
  let ledger: Ledger;
  let round = 0;
  let calling: Promise<void>[] = [];
  let ended = false;
  /** Keys of which an attempt is under way, and how often a second one came meanwhile. */
  const underWay = new Set<string>();
  let overlaps: string[] = [];

  beforeAll(async () => {
    kafka = await ownKafka(1);
  }, 200_000);

  afterAll(async () => {
    await kafka?.remove();
  });

  const keyOf = (id: string) => id.slice(0, id.lastIndexOf('-'));

  beforeEach(async () => {
    round += 1;
    ended = false;
    overlaps = [];
    ledger = new Ledger();
    target = await TargetServer.start(({ headers }, response) => {
      const id = String(headers['bigpipe-message-id']);
      const key = keyOf(id);
      if (underWay.has(key)) overlaps.push(id);
      underWay.add(key);
      setTimeout(() => {
        underWay.delete(key);
        response.end();
      }, answerMs);
    });
    const config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': kafka.servers,
      'kafka.consumer.session.timeout': sessionTimeoutMs,
      'kafka.topics': [{ name: `fleet-${round}`, partitions }],
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: `fleet-${round}` }],
      'kafka.consumer.list': [baseConsumer({ topic: `fleet-${round}`, timeout: 20_000 })],
    });
    fleet = await Promise.all([0, 1, 2].map(() => BigpipeProcess.start({ config })));
    calling = Array.from({ length: callers }, (_, caller) => callInTurn(caller));
    await until('calls flow', () => target.arrivals.length > 100, boundMs);
  }, 200_000);

  afterEach(async () => {
    ended = true;
    await Promise.all(fleet.map((bigpipe) => bigpipe.dispose()));
    await Promise.all(calling);
    await target.close();
  }, 60_000);

  /** One key's calls one after another, each to any process that takes it. */
  async function callInTurn(caller: number): Promise<void> {
    for (let number = 0; !ended; number += 1) {
      const bigpipe = fleet[(caller + number) % fleet.length] as BigpipeProcess;
      const key = `r${round}c${caller}`;
      const url = target.url();
      if (!(await ledger.call(bigpipe, `${key}-${number}`, { url, partition_key: key }))) {
        await new Promise((resolve) => setTimeout(resolve, answerMs));
      }
    }
  }

  const stopCalling = async () => {
    ended = true;
    await Promise.all(calling);
    ledger.hangUp();
    await until('every accepted call has arrived', () => ledger.allArrived(target), boundMs);
  };

  /** First arrivals that came before that of an earlier call of their key. */
  const outOfOrder = () => {
    const newest = new Map<string, number>();
    const seen = new Set<string>();
    return target.arrivals.flatMap(({ headers }) => {
      const id = String(headers['bigpipe-message-id']);
      if (seen.has(id)) return [];
      seen.add(id);
      const number = Number(id.slice(id.lastIndexOf('-') + 1));
      const before = newest.get(keyOf(id)) ?? -1;
      newest.set(keyOf(id), Math.max(before, number));
      return number < before ? [`${id} after ${before}`] : [];
    });
  };

  const flowsOn = async () => {
    const from = target.arrivals.length;
    await until('calls flow on', () => target.arrivals.length > from + 100, boundMs);
  };

  test('restarted one after another: nothing lost, nothing twice, nothing out of order, no two attempts at once', async () => {
    for (const [i, bigpipe] of fleet.entries()) {
      expect(await bigpipe.end('SIGTERM')).toBe(0);
      expect(bigpipe.stderr).toEqual([]);
      fleet[i] = await BigpipeProcess.start({ directory: bigpipe.directory });
      await flowsOn();
    }
    await stopCalling();
    expect(ledger.faults(target, 1)).toEqual([]);
    expect(outOfOrder()).toEqual([]);
    expect(overlaps).toEqual([]);
  }, 300_000);

  test('one killed, one frozen until the others have its partitions: nothing lost, nothing out of order', async () => {
    const [killed, frozen] = fleet as [BigpipeProcess, BigpipeProcess, BigpipeProcess];
    await killed.end('SIGKILL');
    fleet[0] = await BigpipeProcess.start({ directory: killed.directory });
    await flowsOn();
    const rest = fleet.filter((bigpipe) => bigpipe !== frozen);
    fleet = rest;
    frozen.child.kill('SIGSTOP');
    const hasAll = async () => {
      let held = 0;
      for (const bigpipe of rest) {
        const { brokerStats } = (await bigpipe.stats()) as unknown as {
          brokerStats: { members: { group: string; assigned: string[] }[] };
        };
        const own = brokerStats.members.find(({ group }) => group === 'G1');
        held += own?.assigned.filter((name) => /^fleet-\d+\/\d+$/.test(name)).length ?? 0;
      }
      return held === partitions;
    };
    await until('the others have its partitions', hasAll, boundMs);
    await flowsOn();
    frozen.child.kill('SIGCONT');
    await flowsOn();
    fleet = [...rest, frozen];
    await flowsOn();
    await stopCalling();
    // Who was frozen answered late, and in the words that nobody knows.
    for (const [id, { error }] of ledger.refused) if (error === 'storage-failed') ledger.unknown.add(id);
    // Once more for the kill, and for each of the two owners of what was frozen.
    expect(ledger.faults(target, 3)).toEqual([]);
    expect(outOfOrder()).toEqual([]);
  }, 300_000);
});
