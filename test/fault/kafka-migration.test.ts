// An embedded log moves to Kafka while calls come in, also after a move that was killed half-way: nothing lost, no key out of order.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { command } from '../support/command.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { Ledger } from '../support/ledger.js';
import { MortalTarget } from '../support/mortal-target.js';
import { until } from '../support/until.js';

const callers = 8;
const sickKeys = 20;
const callsOfSickKey = 60;
const delayed = 30;
const dead = 25;
const boundMs = 60_000;

interface Report {
  readonly state: string;
  readonly copied: string;
  readonly error: string | null;
}

describe.skipIf(!canStartKafka)('from the embedded log to Kafka', () => {
  const ledger = new Ledger();
  let kafka: LocalCluster;
  let well: MortalTarget;
  let sick: MortalTarget;
  let bigpipe: BigpipeProcess;

  const config = (changes: Record<string, unknown> = {}) =>
    baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 2 }],
      'kafka.consumer.session.timeout': 6000,
      'kafka.consumer.list': [baseConsumer({ retries: 1000, retryBackoff: [200], timeout: 5000 })],
      ...changes,
    });

  beforeAll(async () => {
    kafka = await ownKafka(1);
    [well, sick] = await Promise.all([MortalTarget.start(), MortalTarget.start('fails')]);
    for (const receiver of [well, sick]) receiver.mayBeMissing = (id) => ledger.unknown.has(id);
    well.isRefused = (id) => id.startsWith('d');
    bigpipe = await BigpipeProcess.start({ config: config() });
  }, 200_000);

  afterAll(async () => {
    ledger.hangUp();
    await bigpipe?.dispose();
    await Promise.all([well?.close(), sick?.close()]);
    await kafka?.remove();
  });

  const report = async () => (await (await fetch(`${bigpipe.management}/migration`)).json()) as Report;
  const migrate = (...args: string[]) =>
    command(['migrate', '--to', 'kafka', '--servers', kafka.servers, '--against', bigpipe.management, ...args]);
  const call = (id: string, url: string, fields: object = {}) =>
    ledger.call(bigpipe, id, { url, partition_key: id.slice(0, id.lastIndexOf('-')), ...fields });
  const countOf = (letter: string) => [...ledger.accepted].filter((id) => id.startsWith(letter)).length;
  const letters = async () => {
    const [box] = (await (await fetch(`${bigpipe.management}/dlq`)).json()) as { open: number }[];
    return box?.open;
  };

  test('what cannot be moved, or where to, is told', async () => {
    const asked = async (body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${bigpipe.management}/migration`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      return `${answer.status} ${((await answer.json()) as { message: string }).message}`;
    };
    expect(await asked({})).toContain('400 to: found nothing, allowed: "kafka"');
    expect(await asked({ to: 'kafka' })).toContain('400 neither servers nor kafka.bootstrap.servers');
    expect(await asked({ to: 'kafka', servers: ['x'] })).toContain('400 servers: found ["x"]');
    const nobody = await migrate('--servers', '127.0.0.1:9');
    expect([nobody.code, nobody.stdout]).toEqual([1, expect.stringContaining('failed: 0 of 0 messages')]);
    expect(nobody.stdout).toContain('no node answers at kafka.bootstrap.servers (127.0.0.1:9)');
  }, 120_000);

  test('all kinds of waiting are there', async () => {
    const lanes = Array.from({ length: sickKeys }, async (_, key) => {
      for (let i = 0; i < callsOfSickKey; i++) await call(`s${key}-${i}`, sick.url);
    });
    await Promise.all(lanes);
    for (let i = 0; i < delayed; i++) await call(`free-${i}`, well.url, { partition_key: '', delay: '20s' });
    for (let i = 0; i < dead; i++) await call(`d${i}-0`, well.url);
    await until('the dead letters are there', async () => (await letters()) === dead, boundMs);
    expect(ledger.accepted.size).toBe(sickKeys * callsOfSickKey + delayed + dead);
  }, 120_000);

  test('a move that was killed half-way goes on', async () => {
    await migrate('--no-wait');
    await until('some of it is there', async () => Number((await report()).copied) > 100, boundMs);
    bigpipe.child.kill('SIGKILL');
    await bigpipe.exited;
    ledger.hangUp();
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    for (const receiver of [well, sick]) receiver.life += 1;
    expect((await report()).state).toBe('none');
  }, 120_000);

  test('all of it moves while calls come in', async () => {
    let isOver = false;
    const calling = Array.from({ length: callers }, async (_, caller) => {
      for (let i = 0; !isOver; i++) await call(`w${caller}-${i}`, well.url);
    });
    await until('calls come in', () => well.delivered > 100, boundMs);
    const moved = await migrate('--json');
    expect([moved.stderr, JSON.parse(moved.stdout)]).toEqual([
      '',
      expect.objectContaining({ state: 'moved', error: null }),
    ]);
    const before = well.delivered;
    await until('deliveries go on', () => well.delivered > before + 100, boundMs);
    isOver = true;
    await Promise.all(calling);
    expect([...ledger.refused.values(), ...ledger.unknown]).toEqual([]);
    const answer = await bigpipe.call({ url: well.url, id: 'free-last', data: 'x' });
    expect(answer.headers.get('bigpipe-durability')).toBe('replicas');
    expect((await migrate()).stderr).toContain('409');
  }, 240_000);

  test('what waited arrives, each key in its order', async () => {
    await sick.become('well');
    await until('all of the sick one’s', () => sick.delivered === countOf('s'), boundMs);
    await until('all of the others', () => well.delivered === countOf('w') + countOf('free') + 1, boundMs);
    expect([...sick.faults, ...well.faults]).toEqual([]);
  }, 180_000);

  test('dead letters came along, and are sent again from there', async () => {
    expect(await letters()).toBe(dead);
    well.isRefused = () => false;
    const args = ['dlq', 'redrive', 'test', 'G1', '--rate', '100', '--against', bigpipe.management];
    expect((await command(args)).stdout).toContain(`${dead} delivered`);
    expect(await letters()).toBe(0);
  }, 120_000);

  test('the log that was left cannot be opened by mistake; the next start goes on in Kafka', async () => {
    const delivered = well.delivered + sick.delivered;
    expect(await bigpipe.end('SIGTERM')).toBe(0);
    const { directory } = bigpipe;
    const wrong = await BigpipeProcess.spawn({ directory });
    expect(await wrong.exited).toBe(1);
    expect(wrong.stderr.join('\n')).toMatch(
      /is not used any more: it was moved to Kafka at .*set broker\.driver to kafka/,
    );
    const there = { 'broker.driver': 'kafka', 'kafka.bootstrap.servers': kafka.servers };
    bigpipe = await BigpipeProcess.start({ directory, config: config(there) });
    await call('after-0', well.url);
    await until('it arrives', () => well.wasDelivered('after-0'), boundMs);
    expect(well.delivered + sick.delivered).toBe(delivered + 1);
    expect([...sick.faults, ...well.faults]).toEqual([]);
  }, 180_000);
});
