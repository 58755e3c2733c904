// A bad configuration ends the process with 78 and tells every fault in words; the environment and --config have their say.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { type Ended, type MainOptions, MainProcess } from '../support/main-process.js';
import { rawRequest } from '../support/raw-request.js';
import { seed000, seed001 } from '../support/seed-configs.js';
import { until } from '../support/until.js';

/** sysexits.h: EX_CONFIG and EX_USAGE. */
const exitConfig = 78;
const exitUsage = 64;
const secret = 'hunter2-the-secret';

let home: string;
let started: MainProcess[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'bigpipe-config-'));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((main) => main.end('SIGKILL')));
  await rm(home, { recursive: true, force: true });
});

function start(options: Partial<MainOptions> = {}): MainProcess {
  const main = new MainProcess({ cwd: home, ...options });
  started.push(main);
  return main;
}

async function write(name: string, config: Config | string): Promise<string> {
  const file = join(home, name);
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  return file;
}

const acl = [{ name: 'system-1', secret, topic: 'test' }];

/** Starts with the file's content and waits for the end that must come. */
async function refusalOf(config: Config | string): Promise<Ended> {
  return start({ args: ['--config', await write('bad.json', config)] }).ended;
}

const isTrace = (line: string) => /^\s+at /.test(line) || line.includes('node:internal');

describe('a bad configuration', () => {
  test('is told with all its faults, each with its key, what was found and what is allowed', async () => {
    const { code, stdout, stderr } = await refusalOf(
      baseConfig({
        'kafka.topics': [{ name: 'test', partitions: 0 }],
        'kafka.producer.acl': [
          { name: 'system-1', secret: [secret], topic: 'test' },
          { name: 'system-2', secret },
        ],
        'kafka.consumer.list': [
          baseConsumer({ rateLimit: 0, concurrency: 0 }),
          baseConsumer({ groupId: 'G2', rateLimit: -1, concurrency: -1 }),
          baseConsumer({ groupId: 'G3', timeout: undefined, retries: '2' }),
          baseConsumer({
            groupId: 'G4',
            circuitBreaker: { breakPeriod: 10, recoverPeriod: 30, winSize: 60, minStats: 100, healthRate: 85 },
          }),
        ],
        'http.server.port': 'ten',
      }),
    );
    expect(code).toBe(exitConfig);
    expect(stdout).toEqual([]);
    expect(stderr[0]).toBe(`bigpipe: the configuration is refused: ${join(home, 'bad.json')}:`);
    const found = (key: string, value: string) => expect.stringMatching(`^  ${key}: found ${value}, allowed: .+$`);
    expect(new Set(stderr.slice(1).filter((line) => line !== ''))).toEqual(
      new Set([
        found('kafka\\.topics\\[0\\]\\.partitions', '0'),
        found('kafka\\.producer\\.acl\\[0\\]\\.secret', 'a value that is not shown'),
        found('kafka\\.producer\\.acl\\[1\\]\\.topic', 'nothing'),
        found('kafka\\.consumer\\.list\\[0\\]\\.rateLimit', '0'),
        found('kafka\\.consumer\\.list\\[0\\]\\.concurrency', '0'),
        found('kafka\\.consumer\\.list\\[1\\]\\.rateLimit', '-1'),
        found('kafka\\.consumer\\.list\\[1\\]\\.concurrency', '-1'),
        found('kafka\\.consumer\\.list\\[2\\]\\.timeout', 'nothing'),
        found('kafka\\.consumer\\.list\\[2\\]\\.retries', '"2"'),
        found('kafka\\.consumer\\.list\\[3\\]\\.circuitBreaker\\.healthRate', '85'),
        found('http\\.server\\.port', '"ten"'),
      ]),
    );
    expect(stderr.join('\n')).not.toContain(secret);
  });

  test('that contradicts itself is told so in full', async () => {
    const { code, stderr } = await refusalOf(
      baseConfig({
        'kafka.topics': [
          { name: 'test', partitions: 3 },
          { name: 'test', partitions: 3 },
        ],
        'kafka.producer.acl': [
          { name: 'system-1', secret, topic: 'nope' },
          { name: 'system-1', secret, topic: 'test' },
        ],
        'kafka.consumer.list': [baseConsumer(), baseConsumer(), baseConsumer({ topic: 'nowhere' })],
      }),
    );
    expect(code).toBe(exitConfig);
    expect(stderr.slice(1).filter((line) => line !== '')).toEqual([
      '  kafka.topics[1].name: found "test" a second time',
      '  kafka.producer.acl[0].topic: found "nope", allowed: a topic of kafka.topics ("test")',
      '  kafka.producer.acl[1].name: found "system-1" a second time',
      '  kafka.consumer.list[1].groupId: found "G1" a second time for this topic',
      '  kafka.consumer.list[2].topic: found "nowhere", allowed: a topic of kafka.topics ("test")',
    ]);
    expect(stderr.join('\n')).not.toContain(secret);
  });

  const texts: [string, string, RegExp][] = [
    ['no JSON', '{"kafka.topics": [', /^ {2}is not JSON: /],
    ['nothing', '', /^ {2}is not JSON: /],
    ['a list', '[]', /^ {2}is not a JSON object but a list$/],
  ];
  test.each(texts)('that is %s ends with one line', async (_what, text, line) => {
    const { code, stderr } = await refusalOf(text);
    expect(code).toBe(exitConfig);
    expect(stderr.filter((text) => text !== '')).toHaveLength(2);
    expect(stderr[1]).toMatch(line);
  });

  test('that cannot be read is named', async () => {
    for (const file of [join(home, 'missing.json'), home]) {
      const { code, stderr } = await start({ args: ['--config', file] }).ended;
      expect(code).toBe(exitConfig);
      expect(stderr[0]).toContain(file);
      expect(stderr[1]).toMatch(/^ {2}cannot be read: /);
      expect(stderr.filter(isTrace)).toEqual([]);
    }
  });

  test('with retryBackoff null is refused in words', async () => {
    const { code, stderr } = await refusalOf(
      baseConfig({ 'kafka.consumer.list': [baseConsumer({ retryBackoff: null })] }),
    );
    expect(stderr.filter(isTrace)).toEqual([]);
    expect(code).toBe(exitConfig);
  });

  test('with an acl that is no list keeps its secret', async () => {
    const { stderr } = await refusalOf(baseConfig({ 'kafka.producer.acl': { secret, name: 'a', topic: 'test' } }));
    expect(stderr.join('\n')).not.toContain(secret);
  });

  test('with a log.directory that cannot be made is refused in words', async () => {
    await writeFile(join(home, 'occupied'), '');
    const config = baseConfig({ 'log.directory': './occupied', 'broker.driver': 'memory' });
    const { stderr } = await refusalOf(config);
    expect(stderr.filter(isTrace)).toEqual([]);
    expect(stderr[0]).toMatch(/^bigpipe: /);
  });
});

describe('a warning', () => {
  test('names the unknown key and the nearest known one, and the process runs', async () => {
    const config = baseConfig({
      'http.server.handler.chanel.size': 5,
      'kafka.producer.acl': [{ ...acl[0], secret_: secret }],
      'broker.driver': 'memory',
    });
    const main = start({ args: ['--config', await write('odd.json', config)] });
    await main.running;
    const warnings = main.stdout.map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(warnings.filter(({ level }) => level === 40).map(({ msg }) => msg)).toEqual([
      'http.server.handler.chanel.size is not a known key and is ignored; did you mean http.server.handler.channel.size?',
      'kafka.producer.acl[0].secret_ is not a known key and is ignored; did you mean kafka.producer.acl[0].secret?',
    ]);
    expect(main.stdout.join('\n')).not.toContain(secret);
  });
});

describe("the original's samples", () => {
  const onFreePorts = { BIGPIPE_PORT: '0', BIGPIPE_MANAGEMENT_PORT: '0' };

  test.each([
    ['of today', seed000],
    ['of older days', seed001],
  ])('%s run as they stand', async (_what, text) => {
    // The receiver is on this machine, where calls go only when they are told that they may.
    const opened = text.replace('{', '{"egress.allow": ["127.0.0.1"],');
    const main = start({ args: ['--config', await write('bigpipe.json', opened)], env: onFreePorts });
    const { port } = await main.running;
    const call = { acl: { name: 'system-1', secret: 'you are good' }, url: `http://127.0.0.1:${port}/rpc/server/mock` };
    const body = [Buffer.from(JSON.stringify({ ...call, data: 'hello123123123', partition_key: '暂时用不到' }))];
    const answer = await rawRequest(`http://127.0.0.1:${port}/rpc/call`, { body });
    expect(JSON.parse(answer.text)).toEqual({ data: '', errno: 0, msg: '发送成功' });
    const stats = async () =>
      JSON.parse((await rawRequest(`http://127.0.0.1:${port}/stats`, { method: 'GET' })).text) as {
        data?: { clientStats: { test: { rpcSuccess: number } } };
      };
    await until('both groups have delivered', async () => (await stats()).data?.clientStats.test.rpcSuccess === 2);
    await until('the log has a file', async () => (await readdir(join(home, 'logs'))).length > 0);
  });
});

describe('the environment', () => {
  test('wins over the file', async () => {
    const elsewhere = join(home, 'elsewhere');
    // The file's port would be seen in the log line, its level would keep that line back.
    const config = { ...baseConfig({ 'http.server.port': 1, 'log.level': 1 }), 'broker.embedded.directory': './here' };
    const main = start({
      args: ['--config', await write('bigpipe.json', config)],
      env: { BIGPIPE_PORT: '0', BIGPIPE_DATA_DIR: elsewhere, BIGPIPE_LOG_LEVEL: '5' },
    });
    const { port } = await main.running;
    expect(port).not.toBe(1);
    expect((await readdir(elsewhere)).length).toBeGreaterThan(0);
    expect(await readdir(home)).not.toContain('here');
  });

  test('is checked, all of it at once', async () => {
    const { code, stderr } = await start({
      args: ['--config', await write('bigpipe.json', baseConfig())],
      env: { BIGPIPE_PORT: '65536', BIGPIPE_MANAGEMENT_PORT: '-1', BIGPIPE_LOG_LEVEL: 'debug' },
    }).ended;
    expect(code).toBe(exitConfig);
    expect(stderr.filter((line) => line !== '')).toEqual([
      'bigpipe: the configuration is refused: environment:',
      '  BIGPIPE_PORT: found "65536", allowed: a port from 0 to 65535',
      '  BIGPIPE_MANAGEMENT_PORT: found "-1", allowed: a port from 0 to 65535',
      '  BIGPIPE_LOG_LEVEL: found "debug", allowed: one of "0", "1", "2", "3", "4", "5"',
    ]);
  });

  test('set to nothing is as if not set', async () => {
    const env = { BIGPIPE_PORT: '', BIGPIPE_DATA_DIR: '', BIGPIPE_LOG_LEVEL: '', BIGPIPE_CONFIG: '' };
    const config = baseConfig({ 'broker.embedded.directory': './data' });
    await start({ args: ['--config', await write('bigpipe.json', config)], env }).running;
    expect(await readdir(home)).toContain('data');
  });
});

describe('the file', () => {
  const memory = baseConfig({ 'broker.driver': 'memory' });

  test('is the one that BIGPIPE_CONFIG names', async () => {
    const file = await write('named.json', memory);
    expect(await start({ env: { BIGPIPE_CONFIG: file } }).running).toMatchObject({ file });
  });

  test('is the one that --config names, also when BIGPIPE_CONFIG names another', async () => {
    const file = await write('named.json', memory);
    const env = { BIGPIPE_CONFIG: join(home, 'missing.json') };
    expect(await start({ args: ['--config', file], env }).running).toMatchObject({ file });
    expect(await start({ args: [`--config=${file}`], env }).running).toMatchObject({ file });
  });

  test('is config/bigpipe.json when nobody names one', async () => {
    await mkdir(join(home, 'config'));
    await write('config/bigpipe.json', memory);
    expect(await start().running).toMatchObject({ file: 'config/bigpipe.json' });
  });

  test('.env of the working directory is read, and the environment wins over it', async () => {
    const file = await write('from-dotenv.json', memory);
    await write('.env', `BIGPIPE_CONFIG=${file}\nBIGPIPE_LOG_LEVEL=1\n`);
    expect(await start({ env: { BIGPIPE_LOG_LEVEL: '4' } }).running).toMatchObject({ file });
  });

  test('.env is checked like the environment', async () => {
    await write('.env', 'BIGPIPE_PORT=http\n');
    const { code, stderr } = await start({ args: ['--config', await write('bigpipe.json', memory)] }).ended;
    expect(code).toBe(exitConfig);
    expect(stderr[1]).toBe('  BIGPIPE_PORT: found "http", allowed: a port from 0 to 65535');
  });
});

describe('a command line', () => {
  test.each([[['--confg', 'x']], [['--config']], [['extra']]])('of %j ends with 64 and the usage', async (args) => {
    const { code, stderr } = await start({ args }).ended;
    expect(code).toBe(exitUsage);
    expect(stderr.join('\n')).toContain('usage: bigpipe [--config FILE]');
    expect(stderr.filter(isTrace)).toEqual([]);
  });
});
