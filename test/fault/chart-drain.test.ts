// A pod of the chart is told to go in full flow, as the kubelet does it: the chart's own preStop, then SIGTERM. No caller sees it.
import { spawn } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { hasHelm, manifests, oneOf, podOf } from '../support/chart.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const callers = 8;
/** Less than the chart's preStop: what it is for. */
const proxiesMs = 2500;

describe.skipIf(!hasHelm)('a pod of the chart', () => {
  let target: TargetServer;
  let bigpipe: BigpipeProcess;
  let command: readonly string[];
  let testCommand: readonly string[];

  beforeEach(async () => {
    target = await TargetServer.start();
    const all = await manifests(null);
    testCommand = (oneOf(all, 'Pod').spec as { containers: { command: string[] }[] }).containers[0]?.command ?? [];
    command = podOf(all).spec.containers[0].lifecycle?.preStop.exec.command ?? [];
    const shipped = JSON.parse(oneOf(all, 'ConfigMap').data?.['bigpipe.json'] ?? '') as Config;
    const { 'kafka.producer.acl': acl, 'egress.allow': allow, 'http.server.host': host } = baseConfig();
    const [consumer] = shipped['kafka.consumer.list'] as Config[];
    bigpipe = await BigpipeProcess.start({
      config: {
        ...shipped,
        'kafka.producer.acl': acl,
        'kafka.consumer.list': [{ ...consumer, rateLimit: 100_000, concurrency: 50 }],
        'egress.allow': allow,
        'http.server.host': host,
        'http.server.port': 0,
        'management.host': '127.0.0.1',
        'management.token': 'a-token-for-the-test',
        'management.port': 0,
      },
    });
  });

  afterEach(async () => {
    await bigpipe.dispose();
    await target.close();
  });

  /** As the kubelet runs it in the container, where node is in the path. */
  const inContainer = ([program = '', ...args]: readonly string[]): Promise<number | null> => {
    const path = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`;
    const child = spawn(program, args, { env: { PATH: path }, stdio: ['ignore', 'ignore', 'inherit'] });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
  };

  test('passes the test that helm runs', async () => {
    const here = testCommand.map((word) =>
      word
        .replaceAll('http://calls-bigpipe-management:10087', bigpipe.management)
        .replaceAll('http://calls-bigpipe:10086', bigpipe.origin),
    );
    expect(await inContainer(here)).toBe(0);
  });

  test('goes without a call refused or lost, and by itself', async () => {
    const ledger = new Ledger();
    // What Kubernetes' proxies know.
    let isEndpoint = true;
    const calling = Array.from({ length: callers }, async (_, caller) => {
      for (let i = 0; isEndpoint; i += 1) await ledger.call(bigpipe, `c${caller}-${i}`, { url: target.url() });
    });
    await until('calls flow', () => target.arrivals.length > 200);

    // Kubernetes tells the kubelet and the proxies at the same time; these take a while.
    setTimeout(() => {
      isEndpoint = false;
    }, proxiesMs);
    const before = ledger.accepted.size;
    expect(await inContainer(command)).toBe(0);
    bigpipe.child.kill('SIGTERM');
    await Promise.all(calling);
    expect(await bigpipe.exited).toBe(0);
    expect(ledger.accepted.size).toBeGreaterThan(before);
    expect([ledger.refused.size, ledger.unknown.size]).toEqual([0, 0]);

    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    await until('the rest arrives', () => ledger.allArrived(target));
    expect(ledger.faults(target, 1)).toEqual([]);
  });
});
