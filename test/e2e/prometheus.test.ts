// A real Prometheus reads /metrics, with the token that the listener asks for or on a path that is open.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { hasPrometheus, Prometheus } from '../support/prometheus.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test.skipIf(!hasPrometheus)(
  'it finds what was delivered, also where the listener has a token and the path is open',
  async () => {
    const target = await TargetServer.start();
    closing.push(() => target.close());
    const config = baseConfig({ 'management.token': 'a-token-of-some-length', 'management.open': ['/metrics'] });
    const bigpipe = await BigpipeProcess.start({ config });
    closing.push(() => bigpipe.dispose());
    for (let i = 0; i < 5; i += 1) await bigpipe.call({ url: target.url() });
    await until('all have arrived', () => target.arrivals.length === 5);
    const prometheus = await Prometheus.start(`127.0.0.1:${bigpipe.managementPort}`);
    closing.push(() => prometheus.close());
    expect(await prometheus.valueOf('up{job="bigpipe"} == 1')).toBe(1);
    expect(await prometheus.valueOf('sum(bigpipe_delivery_attempts_total{outcome="delivered",code="2xx"}) == 5')).toBe(
      5,
    );
    expect(await prometheus.valueOf('bigpipe_ingest_requests_total{door="rpc",outcome="accepted"}')).toBe(5);
    const quantile = await prometheus.valueOf('histogram_quantile(0.5, bigpipe_append_duration_seconds_bucket) >= 0');
    expect(quantile).toBeLessThan(100);
    expect((await fetch(`${bigpipe.management}/config`)).status).toBe(401);
  },
);
