// The operator's commands as processes of their own: what they print for people, for programs, and when something is wrong.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { command, type Told } from '../support/command.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const caller = { BIGPIPE_CALLER: 'system-1:i am good' };

let bigpipe: BigpipeProcess;
let target: TargetServer;
/** What the receiver answers to bodies that begin with "sick". */
let sickStatus = 410;

beforeAll(async () => {
  target = await TargetServer.start((arrival, response) => {
    const isSick = arrival.body.toString().startsWith('sick');
    response.writeHead(isSick ? sickStatus : 200, { 'content-type': 'text/plain' }).end('the answer');
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [
        { name: 'test', partitions: 1 },
        { name: 'quiet', partitions: 2 },
      ],
      'kafka.consumer.list': [baseConsumer({ retries: 0 })],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

/** Of the management listener. */
const ask = (...args: string[]) => command([...args, '--against', bigpipe.management]);
const send = (...args: string[]) => command(['send', '--to', bigpipe.origin, ...args], { env: caller });
const jsonOf = ({ stdout }: Told) => JSON.parse(stdout) as unknown;
const idOf = ({ stdout }: Told) => /^(msg_\S+) stored/.exec(stdout)?.[1] ?? stdout;

const fits = (shape: unknown) => expect.objectContaining(shape as object) as unknown;

test('help goes to stdout, what is wrong to stderr', async () => {
  const help = await command(['dlq', 'redrive', '--help']);
  expect([help.code, help.stderr, help.stdout.split('\n')[0]]).toEqual([
    0,
    '',
    'usage: bigpipe dlq redrive TOPIC GROUP [OPTION...]',
  ]);
  const wrong = await command(['explain']);
  expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([
    64,
    '',
    'bigpipe: ID is missing\nusage: bigpipe explain ID [OPTION...]\n',
  ]);
  const none = await command(['nonsense', 'here', 'x']);
  expect([none.code, none.stderr.split('\n')[0]]).toEqual([64, 'bigpipe: "nonsense here" is no command']);
  const nobody = await command(['lag', '--against', 'http://127.0.0.1:9']);
  expect(nobody.code).toBe(1);
  expect(nobody.stderr).toMatch(/^bigpipe: http:\/\/127\.0\.0\.1:9\/broker\/lag could not be asked: .*\n$/);
});

describe('bigpipe send', () => {
  test('hands over a call with what was asked for, and says where it is', async () => {
    const told = await send(target.url('/a'), 'hello', '--key', 'k', '--type', 'a.b', '--header', 'X-Own: 1: 2');
    expect([told.code, told.stderr]).toEqual([0, '']);
    const id = idOf(told);
    await until('it arrives', () => target.arrivals.some(({ headers }) => headers['bigpipe-message-id'] === id));
    const arrival = target.arrivals.find(({ headers }) => headers['bigpipe-message-id'] === id);
    expect(arrival?.headers).toMatchObject({
      'x-own': '1: 2',
      'bigpipe-type': 'a.b',
      'content-type': 'text/plain; charset=utf-8',
    });
    expect([arrival?.path, arrival?.body.toString()]).toEqual(['/a', 'hello']);
  });

  test('reads the body from stdin, byte for byte', async () => {
    const args = ['send', '--to', bigpipe.origin, target.url('/in'), '-', '--json'];
    const told = await command(args, { env: caller, stdin: 'from\0stdin' });
    const { id, durability } = jsonOf(told) as { id: string; durability: string };
    expect(durability).toBe('fsync');
    await until('it arrives', () => target.arrivals.some(({ headers }) => headers['bigpipe-message-id'] === id));
    expect(target.arrivals.find(({ path }) => path === '/in')?.body.toString()).toBe('from\0stdin');
  });

  test('waits for the answer of the receiver', async () => {
    expect(await send(target.url(), 'x', '--wait', '10')).toMatchObject({ code: 0, stdout: 'the answer\n' });
    const told = await send(target.url(), 'sick', '--wait', '10', '--json');
    expect(told.code).toBe(1);
    expect(jsonOf(told)).toEqual({
      id: expect.stringMatching(/^msg_/) as string,
      durability: 'fsync',
      reply: 'answered',
      status: 410,
      body: 'the answer',
    });
  });

  test('what is refused is told', async () => {
    const told = await command(['send', 'nowhere', 'x', '--to', bigpipe.origin], { env: caller });
    expect([told.code, told.stdout]).toEqual([1, '']);
    expect(told.stderr).toContain('answered 400');
    const wrong = await command(['send', target.url(), '--to', bigpipe.origin], { env: { BIGPIPE_CALLER: 'x:y' } });
    expect([wrong.code, wrong.stderr.includes('answered 401')]).toEqual([1, true]);
  });
});

describe('bigpipe tail', () => {
  test('prints what is there', async () => {
    const id = idOf(await send(target.url('/t'), 'two\u001b[31m\nlines', '--key', 'k1'));
    const { code, stdout } = await ask('tail', 'test', '--from', 'start', '--no-follow');
    expect(code).toBe(0);
    const line = stdout.split('\n').find((one) => one.includes(id));
    expect(line).toContain(`key=k1  ${target.url('/t')}  two\\x0alines`);
    const rows = (await ask('tail', 'test', '--from', '0:0', '--count', '2', '--json')).stdout.trim().split('\n');
    expect(rows.map((row) => JSON.parse(row) as unknown)).toEqual([
      fits({ partition: 0, offset: '0', bodyBase64: expect.any(String) as string }),
      fits({ partition: 0, offset: '1' }),
    ]);
  });

  test('prints what comes, and ends when it is told to', async () => {
    const tailing = ask('tail', 'test', '--count', '1');
    // It may not have begun yet: until it has one.
    let isOver = false;
    const over = tailing.then(() => {
      isOver = true;
    });
    await until('it has seen one', async () => {
      await send(target.url(), 'tailed');
      return isOver;
    });
    await over;
    expect((await tailing).stdout).toMatch(/ {2}tailed\n$/);
  });

  test('a topic or a place that is none is told', async () => {
    expect((await ask('tail', 'none')).stderr).toContain('no topic none, there are test, quiet');
    expect((await ask('tail', 'test', '--from', 'x')).stderr).toContain('from: found "x", allowed: "start"');
    expect((await ask('tail', 'test', '--from', '7:0')).stderr).toContain('from: found partition 7, allowed: 0 to 0');
    expect((await ask('tail', 'quiet', '--from', 'start', '--no-follow')).stdout).toBe('');
  });
});

describe('bigpipe lag', () => {
  test('a row for each partition', async () => {
    const { code, stdout } = await ask('lag');
    const [header = '', row = ''] = stdout.split('\n');
    expect([code, header.split(/\s+/)]).toEqual([0, ['GROUP', 'TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG']]);
    expect(row.split(/\s+/).slice(0, 3)).toEqual(['G1', 'test', '0']);
    expect(jsonOf(await ask('lag', '--json'))).toEqual([fits({ groupId: 'G1', topic: 'test', partition: 0 })]);
  });
});

describe('dead letters', () => {
  let id: string;

  beforeAll(async () => {
    id = idOf(await send(target.url('/s'), 'sick one', '--key', 'k'));
    await until('it is a dead letter', async () => (await ask('dlq', 'ls', 'test', 'G1')).stdout.includes(id));
  });

  test('are counted and listed', async () => {
    expect((await ask('dlq', 'ls')).stdout).toMatch(/^TOPIC .*\ntest +G1 +\d+ +0 +test\.G1\.dlq\n$/);
    const { letters } = jsonOf(await ask('dlq', 'ls', 'test', 'G1', '--json')) as { letters: { id: string }[] };
    expect(letters.map((letter) => letter.id)).toContain(id);
    expect((await ask('dlq', 'ls', 'test', 'G9')).stderr).toContain(
      'no subscription of the topic test with the group G9',
    );
  });

  test('are shown', async () => {
    const { letters } = jsonOf(await ask('dlq', 'ls', 'test', 'G1', '--json')) as {
      letters: { id: string; partition: number; offset: string }[];
    };
    const letter = letters.find((one) => one.id === id);
    const place = [`${letter?.partition}`, `${letter?.offset}`];
    const { stdout } = await ask('dlq', 'show', 'test', 'G1', ...place);
    expect(stdout).toContain(`id: ${id}\nurl: ${target.url('/s')}\nkey: k\n`);
    expect(stdout).toContain('  reason: rejected\n');
    expect(stdout).toMatch(/body:\nsick one\n$/);
    expect(jsonOf(await ask('dlq', 'show', 'test', 'G1', ...place, '--json'))).toEqual(fits({ id }));
    expect((await ask('dlq', 'show', 'test', 'G1', '0', '999999')).stderr).toContain('no dead letter at offset 999999');
  });

  test('explain tells why', async () => {
    const { stdout } = await ask('explain', id);
    expect(stdout).toMatch(/^G1: dead letter/);
    expect(stdout).toContain('  reason: rejected\n');
    expect(jsonOf(await ask('explain', id, '--json'))).toEqual({
      deliveries: [fits({ groupId: 'G1', state: 'dead letter' })],
    });
    const none = await ask('explain', 'msg_01M7ZVEHJ00000000000000000');
    expect([none.code, none.stderr.includes('no message with the id')]).toEqual([1, true]);
  });

  test('are sent again; what stops by itself is told, and so is what came through', async () => {
    expect((await ask('dlq', 'redrive', 'test', 'G1', '--dry-run')).stdout).toMatch(
      /^\d+ letters would be sent: \d+ rejected\n$/,
    );
    const stopped = await ask(
      'dlq',
      'redrive',
      'test',
      'G1',
      '--rate',
      '500',
      '--canary',
      '1',
      '--abort-if-fail-rate',
      '0',
    );
    expect([stopped.code, stopped.stdout.startsWith('aborted (')]).toEqual([1, true]);
    sickStatus = 200;
    const { letters } = jsonOf(await ask('dlq', 'ls', 'test', 'G1', '--json')) as { letters: unknown[] };
    const report = jsonOf(await ask('dlq', 'redrive', 'test', 'G1', '--rate', '500', '--json'));
    expect(report).toEqual(fits({ state: 'done', isUnderWay: false, failed: 0, delivered: letters.length }));
    expect(jsonOf(await ask('dlq', 'ls', 'test', 'G1', '--json'))).toEqual({ letters: [] });
  });
});

describe('bigpipe pause and resume', () => {
  test('of a destination and of all', async () => {
    const place = ['test', 'G1', '--destination', 'http://127.0.0.1:9'];
    expect((await ask('pause', ...place)).stdout).toMatch(/^paused since \S+: http:\/\/127\.0\.0\.1:9\n$/);
    expect(jsonOf(await ask('pause', 'test', 'G1', '--json'))).toEqual({
      paused: [fits({ destination: 'http://127.0.0.1:9' }), fits({ destination: null })],
    });
    await ask('resume', ...place);
    const resumed = await ask('resume', 'test', 'G1', '--json');
    expect([resumed.code, resumed.stderr, jsonOf(resumed)]).toEqual([0, '', { paused: [] }]);
    expect((await ask('resume', 'test', 'G1')).stdout).toBe('nothing is paused\n');
    const none = await ask('resume', 'test', 'G9', '--json');
    expect([none.code, none.stdout]).toEqual([1, '']);
    expect(none.stderr).toContain('no subscription of the topic test with the group G9');
    expect((await ask('pause', 'test', 'G1', '--destination', 'x')).stderr).toContain('destination: found "x"');
  });
});

describe('bigpipe bench', () => {
  test('sends for a while and prints the figures', async () => {
    const args = ['bench', '--to', bigpipe.origin, '--seconds', '0.3', '--connections', '4', '--url', target.url()];
    const figures = jsonOf(await command([...args, '--json'], { env: caller })) as Record<string, number>;
    expect(figures['refused']).toBe(0);
    expect(figures['accepted']).toBeGreaterThan(0);
    expect((await command(args, { env: caller })).stdout).toMatch(/^FIGURE +VALUE\naccepted +\d+\n/);
    const wrong = await command([...args, '--json'], { env: { BIGPIPE_CALLER: 'x:y' } });
    expect([wrong.code, jsonOf(wrong)]).toEqual([1, fits({ accepted: 0, 'first refusal': '200 权限错误' })]);
  });
});

test('a management listener with a token is opened by the environment', async () => {
  const token = 'a-token-of-some-length';
  const guarded = await BigpipeProcess.start({ config: baseConfig({ 'management.token': token }) });
  try {
    const args = ['lag', '--against', guarded.management];
    const shut = await command(args);
    expect([shut.code, shut.stderr.includes('answered 401')]).toEqual([1, true]);
    expect((await command(args, { env: { BIGPIPE_MANAGEMENT_TOKEN: token } })).code).toBe(0);
  } finally {
    await guarded.dispose();
  }
});
