// The older systems' own files become configurations that bigpipe takes, and what is not as it was is told.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { command } from '../support/command.js';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'bigpipe-import-'));
});

afterEach(() => rm(home, { recursive: true, force: true }));

const write = (name: string, lines: readonly string[]) => writeFile(join(home, name), `${lines.join('\n')}\n`);

interface Imported {
  readonly config: Record<string, unknown>;
  readonly notes: string[];
}

async function importFrom(system: string): Promise<Imported> {
  const told = await command(['config', 'import', home, '--from', system, '--json']);
  expect([told.code, told.stderr]).toEqual([0, '']);
  return JSON.parse(told.stdout) as Imported;
}

/** What it is valid with, where the old file cannot know. */
async function expectValid(config: Record<string, unknown>): Promise<void> {
  const file = join(home, 'imported.json');
  await writeFile(file, JSON.stringify(config));
  const { code, stdout, stderr } = await command(['config', 'check', file], { env: { KAFKA_BROKERS: '127.0.0.1:9' } });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('valid: ');
  expect(stdout).not.toContain('is not known');
}

const module = (change: readonly string[] = []) => [
  'topic: test_topic',
  'methods:',
  ' - TestUserName',
  'protocol:',
  ' name: http',
  ' uri: /XXX/{#TOPIC}?key={#KEY}&transid={#TRANSID}',
  ' headers:',
  '  - Host: www.example.cn',
  '  - X-A: 1',
  ' read_timeout_ms: 0',
  ' write_timeout_ms: 100',
  ' conn_timeout_ms: 100',
  'worker_num: 100',
  'window_size: 200',
  'max_retry_times: -1',
  'fail_retry_interval_ms: 200',
  'backend_servers:',
  ' - 10.1.2.1:80',
  ' - 10.1.2.2:80',
  ...change,
];

const main = (modules: readonly string[]) => [
  'log_level: 16',
  'zk_hosts:',
  ' - 10.1.1.1:2181',
  'module_conf_dir: ./conf/modules',
  'module_enabled:',
  ...modules.map((name) => ` - ${name}`),
];

test('ktransfer', async () => {
  await mkdir(join(home, 'modules'));
  await write('ktransfer.yaml', main(['m1', 'm2']));
  await write('modules/m1.yaml', module());
  await write('modules/m2.yaml', [
    'topic: other',
    'protocol: {name: http, uri: /y, read_timeout_ms: 50, write_timeout_ms: 100, conn_timeout_ms: 9}',
    'worker_num: 1',
    'window_size: 2',
    'max_retry_times: 3',
    'fail_retry_interval_ms: 0',
    'serialize_by_key: false',
    'backend_servers: ["10.1.3.1:8080"]',
  ]);
  const { config, notes } = await importFrom('ktransfer');
  expect(config['log.level']).toBe(5);
  expect(config['egress.allow']).toEqual(['10.1.2.1', '10.1.2.2', '10.1.3.1']);
  const shared = { rateLimit: 1_000_000, successOn: [200], retryOn: ['201-599'], rejectOn: [] };
  expect(config['kafka.consumer.list']).toEqual([
    {
      ...shared,
      topic: 'test_topic',
      groupId: 'm1',
      endpoints: [{ url: 'http://10.1.2.1:80/' }, { url: 'http://10.1.2.2:80/' }],
      uri: '/XXX/{#TOPIC}?key={#KEY}&transid={#TRANSID}',
      headers: { Host: 'www.example.cn', 'X-A': '1' },
      methods: ['TestUserName'],
      concurrency: 100,
      timeout: 86_400_000,
      retries: 1000,
      poison: 'block',
      retryBackoff: [200],
      ordering: 'key',
    },
    {
      ...shared,
      topic: 'other',
      groupId: 'm2',
      endpoints: [{ url: 'http://10.1.3.1:8080/' }],
      uri: '/y',
      headers: {},
      concurrency: 1,
      timeout: 150,
      retries: 3,
      retryBackoff: [1],
      ordering: 'none',
    },
  ]);
  for (const part of ['m1: timeout: there was none', 'm1: uri: {#KEY}', 'm1: max_retry_times -1', 'ZooKeeper'])
    expect(notes.join('\n')).toContain(part);
  await expectValid(config);
});

test('kproxy', async () => {
  await write('kproxy.yaml', [
    'log_level: 4',
    'port: 5030',
    'read_timeout_ms: 100',
    'write_timeout_ms: 100',
    'max_request_size_bytes: 10485760',
    'broker_hosts:',
    ' - 10.1.4.17:5031',
    ' - 10.1.5.17:5031',
  ]);
  const { config, notes } = await importFrom('kproxy');
  expect(config).toMatchObject({
    'log.level': 4,
    'http.server.port': 5030,
    'http.server.max.body.size': 10_485_760,
    'commit.default.acks': 1,
    'kafka.bootstrap.servers': '10.1.4.17:5031,10.1.5.17:5031',
  });
  expect(notes.join('\n')).toContain('FNV-1a');
  await expectValid({ ...config, 'kafka.topics': [{ name: 'test', partitions: 1 }] });
});

test('kmonitor', async () => {
  await write('kmonitor.yaml', [
    'base: {log_dir: ./log, log_level: 4, clusters: [test_cluster, common]}',
    'http_server: {port: 55325, read_timeout_ms: 100, write_timeout_ms: 100}',
    'test_cluster: {chroot: /mq/a, zk_hosts: ["10.1.1.1:2181"]}',
    'common: {chroot: /mq/b, zk_hosts: ["10.2.1.1:2181"]}',
  ]);
  const { config, notes } = await importFrom('kmonitor');
  expect(config['management.port']).toBe(55_325);
  expect(config['monitor.clusters']).toEqual([
    { name: 'test_cluster', servers: 'test_cluster.example:9092' },
    { name: 'common', servers: 'common.example:9092' },
  ]);
  expect(notes.join('\n')).toContain('in place of common.example:9092');
  await expectValid({ ...config, 'kafka.topics': [{ name: 'test', partitions: 1 }] });
});

test('the Go bigpipe', async () => {
  const circuitBreaker = { breakPeriod: 10, recoverPeriod: 30, winSize: 60, minStats: 20, healthRate: 85 };
  const consumer = {
    topic: 'test',
    groupId: 'G1',
    rateLimit: 0,
    timeout: 0,
    retries: -1,
    concurrency: 0,
    circuitBreaker,
  };
  await write('bigpipe.json', [
    JSON.stringify({
      'log.level': 5,
      'log.directory': './logs',
      'kafka.bootstrap.servers': 'localhost:9092',
      'kafka.topics': [{ name: 'test', partitions: 3 }],
      'kafka.producer.channel.size': 200_000,
      'kafka.producer.retries': 2,
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test' }],
      'kafka.consumer.list': [consumer],
      'http.server.port': 10_086,
      'http.server.handler.channel.size': 100_000,
      'http.server.read.timeout': 5000,
      'http.server.write.timeout': 5000,
    }),
  ]);
  const { config, notes } = await importFrom('bigpipe-go');
  expect(config['kafka.consumer.list']).toEqual([
    {
      ...consumer,
      rateLimit: 1_000_000,
      timeout: 86_400_000,
      retries: 0,
      concurrency: 1,
      circuitBreaker: { ...circuitBreaker, healthRate: 0.85 },
    },
  ]);
  expect(notes).toContain('kafka.consumer.list[0].retries: -1 meant no request at all, written as 0');
  await expectValid(config);
});

test('what is wrong is told with its place; a file that is there stays', async () => {
  const from = async (system: string, ...args: string[]) =>
    (await command(['config', 'import', home, '--from', system, ...args])).stderr;
  expect(await from('nats')).toContain('--from: allowed: bigpipe-go, kproxy, ktransfer, kmonitor');
  expect(await from('kproxy')).toContain('kproxy.yaml is not there');
  await write('kproxy.yaml', ['port: [1']);
  expect(await from('kproxy')).toContain('kproxy.yaml cannot be read');
  await write('kproxy.yaml', ['log_level: 4', 'port: many']);
  expect(await from('kproxy')).toContain('kproxy.yaml: port: found "many", allowed: a whole number');
  await write('ktransfer.yaml', main(['m1']));
  expect(await from('ktransfer')).toContain('the module m1 is in none of');
  await write(
    'm1.yaml',
    module([]).filter((line) => !line.startsWith('worker_num')),
  );
  expect(await from('ktransfer')).toContain('m1.yaml: worker_num: found nothing, allowed: a whole number');
  await write('m1.yaml', module());
  await write('there.json', ['mine']);
  expect(await from('ktransfer', '--out', join(home, 'there.json'))).toContain('there.json is there already');
  expect(await readFile(join(home, 'there.json'), 'utf8')).toBe('mine\n');
  const told = await command(['config', 'import', home, '--from', 'ktransfer', '--out', join(home, 'new.json')]);
  expect([told.code, told.stdout, told.stderr.includes('kafka.bootstrap.servers: not known')]).toEqual([0, '', true]);
  expect(JSON.parse(await readFile(join(home, 'new.json'), 'utf8'))).toMatchObject({ 'broker.driver': 'kafka' });
});
