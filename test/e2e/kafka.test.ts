// The whole program on a Kafka: a call is delivered, a restart keeps its place, a kill repeats only what was not settled.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { canStartKafka, ownKafka } from '../support/kafka-cluster.js';
import { OtlpCollector } from '../support/otlp-collector.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** A killed process holds its partitions for as long. */
const sessionTimeoutMs = 6000;
const boundMs = 60_000;

interface Page {
  readonly brokerStats: {
    readonly driver: string;
    readonly connected: boolean;
    readonly members: readonly { readonly group: string; readonly assigned: readonly string[] }[];
  };
}

describe.skipIf(!canStartKafka)('bigpipe on Kafka', () => {
  let kafka: LocalCluster;
  let target: TargetServer;
  let collector: OtlpCollector;
  let bigpipe: BigpipeProcess;
  let config: Record<string, unknown>;

  beforeAll(async () => {
    kafka = await ownKafka(1);
    target = await TargetServer.start();
    collector = await OtlpCollector.start();
    config = baseConfig({
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': kafka.servers,
      'kafka.consumer.session.timeout': sessionTimeoutMs,
      'kafka.consumer.list': [baseConsumer({ timeout: 60_000 })],
    });
    bigpipe = await BigpipeProcess.start({ config, env: collector.env });
  }, 200_000);

  afterAll(async () => {
    await bigpipe?.dispose();
    await target?.close();
    await collector?.close();
    await kafka?.remove();
  });

  const restart = async () => {
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory, env: collector.env });
  };

  test('a call is stored on the replicas, answered and delivered byte for byte', async () => {
    const answer = await bigpipe.call({ url: target.url('/hook?x=1'), data: 'héllo', partition_key: 'k' });
    expect(answer.body).toEqual({ data: '', errno: 0, msg: '发送成功' });
    expect(answer.headers.get('bigpipe-durability')).toBe('replicas');
    const arrival = await until('the call arrives', () => target.arrivals[0]);
    expect(arrival.path).toBe('/hook?x=1');
    expect(arrival.body.toString()).toBe('héllo');
    expect(arrival.headers['bigpipe-message-id']).toBe(answer.headers.get('bigpipe-message-id'));
  });

  test('a restart keeps its place: what was delivered does not come again, what comes after it does', async () => {
    for (let i = 0; i < 20; i++) await bigpipe.call({ url: target.url(), data: `${i}`, partition_key: `k${i % 3}` });
    await until('all arrive', () => target.arrivals.length === 21);
    expect(await bigpipe.end('SIGTERM')).toBe(0);
    expect(bigpipe.stderr).toEqual([]);
    await restart();
    await bigpipe.call({ url: target.url('/after') });
    await until('the new one arrives', () => target.arrivals.some(({ path }) => path === '/after'), boundMs);
    expect(target.arrivals.length).toBe(22);
  });

  test('a kill repeats what was not settled, says so, and nothing else', async () => {
    target.arrivals.length = 0;
    const held: (() => void)[] = [];
    target.script = ({ path }, response) => {
      if (path === '/held') held.push(() => response.end());
      else response.end();
    };
    for (let i = 0; i < 10; i++) await bigpipe.call({ url: target.url('/free'), data: `${i}` });
    await bigpipe.call({ url: target.url('/held'), data: 'x', id: 'held-1' });
    for (let i = 0; i < 10; i++) await bigpipe.call({ url: target.url('/free'), data: `${10 + i}` });
    await until('all arrive', () => target.arrivals.length === 21);
    const settled = async () => {
      const { data } = (await (await fetch(`${bigpipe.origin}/stats`)).json()) as {
        data: { clientStats: { test: { rpcSuccess: number } } };
      };
      return data.clientStats.test.rpcSuccess >= 20;
    };
    await until('twenty are settled', settled);
    await until('their marks are at Kafka', async () => {
      const rows = (await (await fetch(`${bigpipe.management}/broker/lag`)).json()) as { lag: string }[];
      return rows.filter(({ lag }) => lag !== '0').length === 1;
    });
    expect(await bigpipe.end('SIGKILL')).toBe('SIGKILL');
    target.script = (_arrival, response) => void response.end();
    await restart();
    const again = () => target.arrivals.filter(({ path }) => path === '/held');
    await until('the held one comes again', () => again().length === 2, boundMs);
    expect(again()[1]?.headers['bigpipe-redelivery']).toBe('crash');
    await bigpipe.call({ url: target.url('/last') });
    await until('the last one arrives', () => target.arrivals.some(({ path }) => path === '/last'), boundMs);
    expect([...target.countById().values()].filter((count) => count > 1)).toEqual([2]);
  }, 120_000);

  test('its page of figures tells the connection, the assignment and the last error', async () => {
    const { data } = (await (await fetch(`${bigpipe.origin}/stats`)).json()) as { data: Page };
    const { brokerStats } = data;
    expect(brokerStats).toMatchObject({ driver: 'kafka', connected: true, lastError: '' });
    const own = brokerStats.members.find(({ group }) => group === 'G1');
    expect(own?.assigned.filter((name) => name.startsWith('test/'))).toHaveLength(3);
  });

  test('one trace leads from the caller over Kafka to the receiver', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const body = {
      acl: { name: 'system-1', secret: 'i am good' },
      url: target.url('/traced'),
      partition_key: '',
      data: '',
    };
    await bigpipe.post(JSON.stringify(body), { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    const arrival = await until('the call arrives', () => target.arrivals.find(({ path }) => path === '/traced'));
    const spans = await until('its spans are there', () => {
      const seen = collector.ofTrace(traceId);
      return seen.length === 3 && seen;
    });
    const [accept, append, deliver] = ['POST /rpc/call', 'append test', 'deliver test'].map((name) =>
      spans.find((span) => span.name === name),
    );
    expect([accept?.parentSpanId, append?.parentSpanId, deliver?.parentSpanId]).toEqual([
      '00f067aa0ba902b7',
      accept?.spanId,
      append?.spanId,
    ]);
    expect(arrival.headers['traceparent']).toBe(`00-${traceId}-${deliver?.spanId}-01`);
  });
});
