// One trace from the caller to the receiver: spans at an OpenTelemetry collector, and W3C context on every attempt.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { goodCaller, send, sendLines } from '../support/messages-door.js';
import { OtlpCollector, type SeenSpan } from '../support/otlp-collector.js';
import { rawRequest } from '../support/raw-request.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const callersSpan = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${callersSpan}-01`;
const tracestate = 'vendor=one,other=two';
const trace = { traceparent, tracestate };

const config = baseConfig({
  'kafka.consumer.list': [baseConsumer({ url: 'http://127.0.0.1:1/' })],
  'commit.open.topics': ['test'],
});

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
});

beforeEach(() => {
  target.arrivals.length = 0;
  target.script = (_arrival, response) => {
    response.end();
  };
});

afterAll(() => target.close());

const body = (url: string) =>
  JSON.stringify({ acl: { name: 'system-1', secret: 'i am good' }, url, partition_key: '', data: 'x' });
const arrived = (count: number) => until(`${count} have arrived`, () => target.arrivals.length >= count);

describe('with a collector', () => {
  let collector: OtlpCollector;

  beforeAll(async () => {
    collector = await OtlpCollector.start();
    bigpipe = await BigpipeProcess.start({ config, env: collector.env });
  });

  afterAll(async () => {
    await bigpipe.dispose();
    await collector.close();
  });

  beforeEach(() => {
    collector.spans.length = 0;
  });

  const named = (spans: readonly SeenSpan[], name: string) => spans.filter((span) => span.name === name);
  const oneOf = (spans: readonly SeenSpan[], name: string): SeenSpan => {
    expect(named(spans, name)).toHaveLength(1);
    return named(spans, name)[0] as SeenSpan;
  };
  const spansOf = (id: string, count: number) =>
    until(`${count} spans have come`, () => {
      const spans = collector.ofTrace(id);
      return spans.length >= count && spans;
    });
  /** Accept under the caller, append under accept, deliver under append and linked to it, the receiver under deliver. */
  const expectChain = (spans: readonly SeenSpan[], path: string, parent: string, { headers }: Arrival) => {
    const accept = oneOf(spans, `POST ${path}`);
    const append = oneOf(spans, 'append test');
    const deliver = oneOf(spans, 'deliver test');
    expect([accept.kind, append.kind, deliver.kind]).toEqual([2, 4, 3]);
    expect([accept.parentSpanId, append.parentSpanId, deliver.parentSpanId]).toEqual([
      parent,
      accept.spanId,
      append.spanId,
    ]);
    expect(deliver.links).toMatchObject([{ traceId: append.traceId, spanId: append.spanId }]);
    expect(headers['traceparent']).toBe(`00-${append.traceId}-${deliver.spanId}-01`);
    expect(append.attributes['messaging.message.id']).toBe(headers['bigpipe-message-id']);
    expect(deliver.attributes).toMatchObject({
      'messaging.message.id': headers['bigpipe-message-id'],
      'messaging.destination.name': 'test',
      'messaging.consumer.group.name': 'G1',
      'http.response.status_code': 200,
      'bigpipe.attempt': 1,
      'bigpipe.outcome': 'delivered',
    });
    expect(spans.every(({ service, isError }) => service === 'bus' && !isError)).toBe(true);
  };

  test('from /rpc/call: accept, append, deliver, receiver', async () => {
    await bigpipe.post(body(target.url()), trace);
    await arrived(1);
    const [arrival] = target.arrivals as [Arrival];
    expectChain(await spansOf(traceId, 3), '/rpc/call', callersSpan, arrival);
    expect(arrival.headers['tracestate']).toBe(tracestate);
  });

  test('from /v1/messages', async () => {
    await send(bigpipe, { 'bigpipe-url': target.url(), ...trace });
    await arrived(1);
    expectChain(await spansOf(traceId, 3), '/v1/messages', callersSpan, target.arrivals[0] as Arrival);
  });

  test('from a batch, whose lines are all of its trace', async () => {
    await sendLines(bigpipe, [
      { url: target.url(), data: '1' },
      { url: target.url(), data: '2' },
    ]);
    await arrived(2);
    const ids = target.arrivals.map(({ headers }) => String(headers['traceparent']).slice(3, 35));
    expect(new Set(ids).size).toBe(1);
    const spans = await spansOf(ids[0] as string, 5);
    const accept = oneOf(spans, 'POST /v1/messages:batch');
    expect(accept.parentSpanId).toBe('');
    expect(named(spans, 'append test').map(({ parentSpanId }) => parentSpanId)).toEqual([accept.spanId, accept.spanId]);
  });

  test('from /commit, and every attempt is a span of its own', async () => {
    await rawRequest(`${bigpipe.origin}/commit?topic=test`, {
      headers: { authorization: goodCaller, ...trace },
      body: [Buffer.from('x')],
    });
    const spans = await spansOf(traceId, 5);
    const append = oneOf(spans, 'append test');
    expect(append.parentSpanId).toBe(oneOf(spans, 'POST /commit').spanId);
    const attempts = named(spans, 'deliver test');
    expect(new Set(attempts.map(({ attributes }) => attributes['bigpipe.attempt']))).toEqual(new Set([1, 2, 3]));
    expect(attempts.every(({ parentSpanId, isError }) => parentSpanId === append.spanId && isError)).toBe(true);
    // Nobody else's path, key or body.
    expect(attempts.every(({ attributes }) => attributes['server.address'] === 'http://127.0.0.1:1')).toBe(true);
  });

  test('a call without a trace begins one, and a retry carries a context of its own', async () => {
    target.script = ({ headers }, response) => {
      response.writeHead(headers['bigpipe-attempt'] === '1' ? 503 : 200).end();
    };
    await bigpipe.call({ url: target.url() });
    await arrived(2);
    const parents = target.arrivals.map(({ headers }) => String(headers['traceparent']));
    const id = (parents[0] as string).slice(3, 35);
    const spans = await spansOf(id, 4);
    expect(oneOf(spans, 'POST /rpc/call').parentSpanId).toBe('');
    const deliveries = named(spans, 'deliver test');
    expect(parents).toEqual(deliveries.map(({ spanId }) => `00-${id}-${spanId}-01`));
    expect(deliveries.map(({ isError }) => isError)).toEqual([true, false]);
  });

  test('what is not sampled by the caller is passed on and not recorded', async () => {
    await bigpipe.post(body(target.url()), { traceparent: `00-${traceId}-${callersSpan}-00` });
    await bigpipe.call({ url: target.url() });
    await arrived(2);
    const unsampled = target.arrivals
      .map(({ headers }) => String(headers['traceparent']))
      .filter((one) => one.endsWith('-00'));
    expect(unsampled.map((one) => one.slice(3, 35))).toEqual([traceId]);
    const other = target.arrivals
      .map(({ headers }) => String(headers['traceparent']))
      .find((one) => one.endsWith('-01'));
    await spansOf(String(other).slice(3, 35), 3);
    expect(collector.ofTrace(traceId)).toEqual([]);
  });
});

test('workers make the spans of what comes in there', async () => {
  const collector = await OtlpCollector.start();
  bigpipe = await BigpipeProcess.start({ config, env: { ...collector.env, BIGPIPE_WORKERS: '1' } });
  try {
    await bigpipe.post(body(target.url()), trace);
    await arrived(1);
    await until('all spans have come', () => collector.ofTrace(traceId).length === 3);
  } finally {
    await bigpipe.dispose();
    await collector.close();
  }
});

test('without a collector the context goes from every door to the receiver as it came', async () => {
  bigpipe = await BigpipeProcess.start({
    config: { ...config, 'kafka.consumer.list': [baseConsumer({ url: target.url() })] },
  });
  try {
    await bigpipe.post(body(target.url()), trace);
    await send(bigpipe, { 'bigpipe-url': target.url(), ...trace });
    await rawRequest(`${bigpipe.origin}/commit?topic=test`, {
      headers: { authorization: goodCaller, ...trace },
      body: [Buffer.from('x')],
    });
    await bigpipe.post(body(target.url()), { traceparent: 'nonsense', tracestate });
    await arrived(4);
    const seen = target.arrivals.map(({ headers }) => [headers['traceparent'], headers['tracestate']]);
    expect(seen.filter(([parent]) => parent === traceparent)).toEqual(Array(3).fill([traceparent, tracestate]));
    expect(seen.filter(([parent]) => parent === undefined)).toEqual([[undefined, undefined]]);
  } finally {
    await bigpipe.dispose();
  }
});

test('a collector that is not there holds up nothing, not even the end', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_BSP_SCHEDULE_DELAY: '10' };
  bigpipe = await BigpipeProcess.start({ config, env });
  await bigpipe.call({ url: target.url() });
  await arrived(1);
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  await bigpipe.dispose();
});

test('a protocol that is not spoken is told at the start', async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
  bigpipe = await BigpipeProcess.spawn({ config, env });
  expect(await bigpipe.exited).toBe(78);
  expect(bigpipe.stderr.join('\n')).toContain('OTEL_EXPORTER_OTLP_PROTOCOL');
  await bigpipe.dispose();
});
