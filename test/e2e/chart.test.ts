// The Helm chart: every way of using it that helm/bigpipe/ci has renders to what Kubernetes, Prometheus and bigpipe itself accept.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { Environment } from '#src/config-watch/env.js';
import { loadSettings } from '#src/config-watch/load-settings.js';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import {
  chartDirectory,
  hasHelm,
  hasPromtool,
  hasValidator,
  type Manifest,
  manifests,
  oneOf,
  podOf,
  rendered,
  valuesFiles,
} from '../support/chart.js';

const run = promisify(execFile);
const root = join(chartDirectory, '../..');
/** By schemas of their own, or not at all: promtool reads the rules below. */
const customKinds = ['ServiceMonitor', 'PrometheusRule', 'ScaledObject'];

describe.skipIf(!hasHelm)('the Helm chart', () => {
  let home: string;
  let files: Awaited<ReturnType<typeof valuesFiles>>;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'bigpipe-chart-'));
    files = await valuesFiles();
  });

  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  test('helm lint --strict has nothing to say', async () => {
    await run('helm', ['lint', '--strict', chartDirectory, ...files.flatMap(([, file]) => (file ? ['-f', file] : []))]);
    for (const [, file] of files) {
      await run('helm', ['lint', '--strict', chartDirectory, ...(file === null ? [] : ['-f', file])]);
    }
  });

  test.skipIf(!hasValidator)("what it renders holds to Kubernetes' own schemas", async () => {
    const texts = await Promise.all(files.map(([, file]) => rendered(file)));
    const written = await Promise.all(
      texts.map(async (text, i) => {
        const file = join(home, `${files[i]?.[0]}.yaml`);
        await writeFile(file, text);
        return file;
      }),
    );
    const { stdout, stderr } = await run('kubernetes-validate', ['--strict', '--quiet', ...written]);
    const unknown = [...`${stdout}${stderr}`.matchAll(/schema for kind (\w+)/g)].map(([, kind]) => kind);
    expect(new Set(unknown)).toEqual(new Set(customKinds));
  });

  test('bigpipe takes the configuration that its pods would read', async () => {
    for (const [name, file] of files) {
      const config = oneOf(
        (await manifests(file)).filter(({ data }) => data?.['bigpipe.json']?.includes('kafka.topics')),
        'ConfigMap',
      ).data?.['bigpipe.json'];
      // The secrets are where the pod would have them.
      for (const secret of ['management-token', 'system-1'])
        await writeFile(join(home, secret), 'long-enough-a-secret');
      const path = join(home, `${name}.json`);
      await writeFile(path, (config ?? '').replaceAll('/etc/bigpipe/secrets', home));
      expect(loadSettings(path, new Environment()).warnings).toEqual([]);
    }
  });

  test('the grace period is the sum of what a drain may take', async () => {
    const graceOf = async (file: string | null, values = {}) =>
      podOf(await manifests(file, values)).spec.terminationGracePeriodSeconds;
    // preStop 5, read timeout 5, timeout 3, and 12.
    expect(await graceOf(null)).toBe(25);
    // 5, 5, 90.5 rounded up, 32.
    expect(await graceOf(join(chartDirectory, 'ci/kafka.yaml'))).toBe(133);
    expect(await graceOf(null, { 'preStop.sleepSeconds': 20, 'config.http\\.server\\.stop\\.delay': 10_000 })).toBe(50);
    expect(await graceOf(null, { terminationGracePeriodSeconds: 7 })).toBe(7);
  });

  test('a change of the configuration does not restart pods, unless that is asked for', async () => {
    const changed = { 'config.http\\.server\\.stop\\.delay': 0, 'config.log\\.level': 5 };
    const [before, after] = [podOf(await manifests(null)), podOf(await manifests(null, changed))];
    expect(after).toEqual({ ...before, spec: before.spec });
    const asked = { restartOnConfigChange: true };
    const checksum = async (values: object) =>
      podOf(await manifests(null, { ...asked, ...values })).metadata.annotations?.['checksum/config'];
    expect(await checksum({})).not.toBe(await checksum(changed));
  });

  test('a pod starts as the image does, or so that it takes less memory', async () => {
    const argsOf = async (values: Record<string, unknown>) =>
      podOf(await manifests(null, values)).spec.containers[0].args;
    expect(await argsOf({})).toBeUndefined();
    const [image, small] = [await readFile(join(root, 'Dockerfile'), 'utf8'), await argsOf({ small: true })];
    expect(image).toContain('CMD ["./start.sh"]');
    expect(small).toEqual(['./start.sh', '--small']);
    expect(await readFile(join(root, 'start.sh'), 'utf8')).toContain('= --small ]');
    await expect(rendered(null, { small: 'yes' })).rejects.toThrow('small');
  });

  test('embedded has one process and a volume, kafka as many as it is told or scaled to', async () => {
    const embedded = await manifests(null, { replicaCount: 9 });
    expect(oneOf(embedded, 'StatefulSet').spec).toMatchObject({ replicas: 1, volumeClaimTemplates: [{}] });
    const kafka = await manifests(join(chartDirectory, 'ci/kafka.yaml'));
    expect(oneOf(kafka, 'Deployment').spec).toMatchObject({ replicas: 3 });
    for (const scaled of ['kafka-hpa', 'kafka-keda']) {
      const all = await manifests(join(chartDirectory, `ci/${scaled}.yaml`));
      expect(oneOf(all, 'Deployment').spec).not.toHaveProperty('replicas');
    }
  });

  test('KEDA reads what is ready to go, and nothing that a receiver holds up', async () => {
    const { spec } = oneOf(await manifests(join(chartDirectory, 'ci/kafka-keda.yaml')), 'ScaledObject');
    const { triggers } = spec as { triggers: readonly { metadata: { query: string } }[] };
    expect(triggers.map(({ metadata }) => metadata.query)).toEqual([
      'sum(bigpipe_backlog_messages{namespace="shop", job="calls-bigpipe-management", reason="ready"})',
    ]);
  });

  test.each([
    ['an unknown value', { replicas: 3 }, /additional properties.*replicas/],
    ['a mode that is none', { mode: 'redis' }, /mode/],
    ['scaling of an embedded log', { 'autoscaling.enabled': true }, /autoscaling is for mode kafka/],
    ['KEDA for an embedded log', { 'keda.enabled': true }, /keda is for mode kafka/],
    ['kafka without its address', { mode: 'kafka' }, /kafka\.bootstrap\.servers/],
    ['a driver beside the mode', { 'config.broker\\.driver': 'memory' }, /set mode/],
    ["a port that is the chart's", { 'config.http\\.server\\.port': 80 }, /chart's own/],
    ['a volume that many nodes write', { 'storage.accessModes': ['ReadWriteMany'] }, /accessModes/],
  ])('%s is refused, and the message says why', async (_name, values, message) => {
    await expect(rendered(null, values)).rejects.toThrow(message);
  });

  const everything = join(chartDirectory, 'ci/everything.yaml');
  const dashboard = () => readFile(join(chartDirectory, 'dashboards/bigpipe.json'), 'utf8');
  const rulesOf = (all: readonly Manifest[]) => oneOf(all, 'PrometheusRule').spec as { groups: { rules: object[] }[] };

  test.skipIf(!hasPromtool)('promtool takes the alert rules, and each of them fires when it should', async () => {
    const { groups } = rulesOf(await manifests(everything));
    await writeFile(join(home, 'rules.yaml'), stringify({ groups }));
    await run('promtool', ['check', 'rules', join(home, 'rules.yaml')]);
    await writeFile(join(home, 'alerts.yaml'), await readFile(new URL('../support/alerts.yaml', import.meta.url)));
    await run('promtool', ['test', 'rules', join(home, 'alerts.yaml')], { cwd: home });
  });

  const metricsIn = (text: string) =>
    new Set(text.match(/\b(bigpipe|kafka|process|nodejs)_[a-z0-9_]+\b/g)?.map((name) => name.replace(/_bucket$/, '')));

  test('rules and dashboard use metrics that a bigpipe tells', async () => {
    const { groups } = rulesOf(await manifests(everything));
    const used = metricsIn(`${await dashboard()}${JSON.stringify(groups)}`);
    const bigpipe = await BigpipeProcess.start();
    try {
      const page = await (await fetch(`${bigpipe.management}/metrics`)).text();
      const told = metricsIn([...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name).join(' '));
      // On Kafka only, and with Redis.
      const elsewhere = [
        'bigpipe_shared_state_up',
        'bigpipe_kafka_waiting_bytes',
        'bigpipe_kafka_retention_lost_total',
        'bigpipe_kafka_unreadable_total',
      ];
      expect([...used].filter((name) => !told.has(name) && !elsewhere.includes(name))).toEqual([]);
    } finally {
      await bigpipe.dispose();
    }
  });

  test('the runbook has a word on every alert, and the dashboard comes along', async () => {
    const all = await manifests(everything);
    const alerts = rulesOf(all).groups.flatMap(({ rules }) => rules.map((rule) => (rule as { alert: string }).alert));
    const runbook = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    expect(alerts.filter((alert) => !runbook.includes(`### ${alert}\n`))).toEqual([]);
    expect(alerts.length).toBeGreaterThan(9);
    const shipped = all.find(({ metadata }) => metadata.name === 'calls-dashboard')?.data?.['bigpipe.json'];
    expect(JSON.parse(shipped ?? '')).toEqual(JSON.parse(await dashboard()));
  });
});
