// What a configuration would change, asked of a bigpipe that runs; and a configuration in several files.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { command } from '../support/command.js';
import { configCounters, configPage, textOf } from '../support/live-config.js';
import { MainProcess } from '../support/main-process.js';
import { until } from '../support/until.js';

const secret = 'hunter2-the-secret';

const changes: Config = {
  'kafka.producer.acl': [{ name: 'system-1', secret, topic: 'test' }],
  'kafka.consumer.list': [baseConsumer({ rateLimit: 50 }), baseConsumer({ groupId: 'G3' })],
  'http.server.port': 10_999,
};
const changeLines = [
  'acl system-1.secret changed',
  'consumer G1 of test.rateLimit 100000 -> 50',
  'consumer G3 of test added',
  'http.server.port 0 -> 10999 (needs a restart)',
];

describe('a running bigpipe', () => {
  let bigpipe: BigpipeProcess;

  beforeAll(async () => {
    bigpipe = await BigpipeProcess.start({ env: { ONLY_THERE: secret } });
  });

  afterAll(async () => {
    await bigpipe.dispose();
  });

  const check = async (body: string, type = 'text/plain') => {
    const headers = { 'content-type': type };
    const answer = await fetch(`${bigpipe.management}/config/check`, { method: 'POST', headers, body });
    return { status: answer.status, text: await answer.text() };
  };

  test.each(['text/plain', 'application/json'])(
    'says what a file sent as %s would change, and changes nothing',
    async (type) => {
      const { status, text } = await check(textOf(bigpipe, baseConfig(changes)), type);
      expect(status).toBe(200);
      expect(JSON.parse(text)).toEqual({ valid: true, faults: [], warnings: [], changes: changeLines });
      expect(text).not.toContain(secret);
      expect(await configCounters(bigpipe)).toMatchObject({ version: 1, reloads: 0, refused: 0, inError: 0 });
      expect((await configPage(bigpipe)).settings['kafka.consumer.list']).toHaveLength(1);
    },
  );

  test('says every fault of a file, and is none the worse', async () => {
    const { status, text } = await check(JSON.stringify(baseConfig({ 'log.level': 7, 'kafka.producer.acks': 2 })));
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({
      valid: false,
      faults: [
        'log.level: found 7, allowed: a whole number from 0 to 5',
        'kafka.producer.acks: found 2, allowed: one of 0, 1, -1',
      ],
      changes: [],
    });
    expect(JSON.parse((await check('{"half')).text)).toMatchObject({ valid: false });
    expect((await check('')).status).toBe(400);
    expect((await configPage(bigpipe)).lastError).toBeNull();
  });

  test('does not tell what a reference stands for, also in a fault', async () => {
    const file = join(bigpipe.directory, 'private');
    await writeFile(file, 'what nobody may read, not even in part, is long enough to be cut off');
    const topics = [{ name: `\${file:${file}}`, partitions: 1 }];
    const { text } = await check(
      JSON.stringify(baseConfig({ 'kafka.topics': topics, 'log.directory': `\${env:ONLY_THERE}` })),
    );
    expect(JSON.parse(text)).toMatchObject({ valid: false });
    expect(text).toContain(`\${file:`);
    expect(text).not.toContain('what nobody');
    expect(text).not.toContain(secret);
  });

  test('shows what is in force, with defaults, on the management listener only', async () => {
    const page = await configPage(bigpipe);
    expect(page).toMatchObject({ version: 1, lastError: null, pendingRestart: [] });
    expect(page.file).toBe(join(bigpipe.directory, 'bigpipe.json'));
    expect(page.settings).toMatchObject({
      'log.level': 4,
      'http.server.max.body.size': 1_048_576,
      'kafka.producer.acl': [{ name: 'system-1', secret: '***', topic: 'test' }],
    });
    expect(Number.isNaN(Date.parse(page.loadedAt))).toBe(false);
    expect((await fetch(`${bigpipe.origin}/config`)).status).toBe(404);
    expect((await fetch(`${bigpipe.origin}/config/check`, { method: 'POST', body: '{}' })).status).toBe(404);
  });

  test('is asked by bigpipe config check --against, also for JSON', async () => {
    const file = join(bigpipe.directory, 'asked.json');
    await writeFile(file, textOf(bigpipe, baseConfig(changes)));
    const args = ['config', 'check', file, '--json', '--against', bigpipe.management];
    const { code, stdout, stderr } = await command(args, { cwd: bigpipe.directory });
    const answer = { valid: true, faults: [], warnings: [], changes: changeLines };
    expect([code, stderr, JSON.parse(stdout)]).toEqual([0, '', answer]);
  });

  test('is asked by bigpipe config check --against', async () => {
    const file = join(bigpipe.directory, 'asked.json');
    await writeFile(file, textOf(bigpipe, baseConfig(changes)));
    const against = ['--against', bigpipe.management];
    const told = await command(['config', 'check', file, ...against], { cwd: bigpipe.directory });
    expect(told).toEqual({ code: 0, stdout: `${changeLines.join('\n')}\n`, stderr: '' });
    // The reference is resolved where the secret is.
    await writeFile(file, textOf(bigpipe, baseConfig({ 'log.directory': `\${env:ONLY_THERE}` })));
    const there = await command(['config', 'check', file, ...against], { cwd: bigpipe.directory });
    expect(there).toMatchObject({
      code: 0,
      stdout: `log.directory nothing -> "\${env:ONLY_THERE}"\n`,
    });
    await writeFile(file, textOf(bigpipe, baseConfig({ 'log.level': 7 })));
    const refused = await command(['config', 'check', file, ...against], { cwd: bigpipe.directory });
    expect(refused).toMatchObject({ code: 78, stdout: '' });
    expect(refused.stderr).toContain('log.level: found 7, allowed: a whole number from 0 to 5');
  });
});

describe('bigpipe config check', () => {
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'bigpipe-check-'));
  });

  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  test('of a valid file says so in short', async () => {
    await writeFile(join(home, 'good.json'), JSON.stringify(baseConfig()));
    const told = await command(['config', 'check', 'good.json'], { cwd: home });
    expect(told).toEqual({ code: 0, stdout: 'valid: topics 1, consumers 1, names 1, broker embedded\n', stderr: '' });
  });

  test('of a bad one tells every fault and ends with 78', async () => {
    await writeFile(join(home, 'bad.json'), JSON.stringify(baseConfig({ 'log.level': 7, 'http.server.port': -1 })));
    const { code, stdout, stderr } = await command(['config', 'check', 'bad.json'], { cwd: home });
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr.trim().split('\n')).toEqual([
      'bigpipe: the configuration is refused: bad.json:',
      '  log.level: found 7, allowed: a whole number from 0 to 5',
      '  http.server.port: found -1, allowed: a whole number from 0 to 65535',
    ]);
  });

  test('as JSON', async () => {
    const asked = async (name: string, changes: object) => {
      await writeFile(join(home, name), JSON.stringify(baseConfig(changes as never)));
      const { code, stdout, stderr } = await command(['config', 'check', name, '--json'], { cwd: home });
      return { code, stderr, answer: JSON.parse(stdout) as unknown };
    };
    expect(await asked('fine.json', {})).toEqual({
      code: 0,
      stderr: '',
      answer: { valid: true, faults: [], warnings: [] },
    });
    expect(await asked('wrong.json', { 'log.level': 7 })).toEqual({
      code: 78,
      stderr: '',
      answer: { valid: false, faults: ['log.level: found 7, allowed: a whole number from 0 to 5'], warnings: [] },
    });
  });

  test.each([[[]], [['config']], [['config', 'check']], [['config', 'check', 'a', 'b']], [['config', 'check', '--x']]])(
    '%j is no command: 64 and the usage',
    async (args) => {
      const { code, stderr } = await command(args, { cwd: home });
      expect(code).toBe(64);
      expect(stderr).toContain('bigpipe config check FILE');
    },
  );

  test('against nobody ends with 1 and one line', async () => {
    const { code, stderr } = await command(['config', 'check', 'good.json', '--against', 'http://127.0.0.1:9'], {
      cwd: home,
    });
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('a directory of files', () => {
  let home: string;
  let main: MainProcess;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'bigpipe-conf.d-'));
  });

  afterEach(async () => {
    await main.end('SIGKILL');
  });

  afterAll(async () => {
    await rm(home, { recursive: true, force: true });
  });

  test('is one configuration; a file that is added, and one that contradicts, are noticed', async () => {
    const folder = join(home, 'conf.d');
    await mkdir(folder);
    const { 'kafka.consumer.list': consumers, ...rest } = baseConfig();
    await writeFile(join(folder, '10-all.json'), JSON.stringify({ ...rest, 'broker.driver': 'memory' }));
    await writeFile(join(folder, '20-consumers.json'), JSON.stringify({ 'kafka.consumer.list': consumers }));
    await writeFile(join(folder, '.30-hidden.json'), '{ no json');
    main = new MainProcess({ cwd: home, args: ['--config', folder] });
    const { managementPort } = await main.running;
    const page = async () => (await fetch(`http://127.0.0.1:${managementPort}/config`)).json();
    const acl = [{ name: 'system-2', secret, topic: 'test' }];
    await writeFile(join(folder, '30-more.json'), JSON.stringify({ 'kafka.producer.acl': acl }));
    const changed = () => main.stdout.some((line) => line.includes('"acl system-2 added"'));
    await until('the added file is in force', changed);
    expect(await page()).toMatchObject({ file: folder, version: 2 });
    await writeFile(join(folder, '40-again.json'), JSON.stringify({ 'log.level': 5, 'http.server.port': 1 }));
    await until('the contradiction is told', () => main.stdout.some((line) => line.includes('configuration refused')));
    const { lastError, version } = (await page()) as { lastError: { faults: string[] }; version: number };
    expect({ faults: lastError.faults, version }).toEqual({
      faults: ['http.server.port: found 0 in 10-all.json and 1 in 40-again.json, allowed: one value'],
      version: 2,
    });
  });
});
