// A configuration that changes while bigpipe runs: however its file is replaced, and never by a file that is wrong.
import { mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { configCounters, configPage, fileOf, replaceConfig, textOf, untilCounted } from '../support/live-config.js';
import { rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const refused = '权限错误';
const secret = 'hunter2-the-second-secret';
const withSecret = (text: string, changes: Config = {}): Config =>
  baseConfig({ 'kafka.producer.acl': [{ name: 'system-1', secret: text, topic: 'test' }], ...changes });

let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  await bigpipe?.dispose();
  bigpipe = undefined;
});

async function started(options: Parameters<typeof BigpipeProcess.start>[0] = {}): Promise<BigpipeProcess> {
  bigpipe = await BigpipeProcess.start(options);
  return bigpipe;
}

const url = 'http://127.0.0.1:9/';
const asks = (with_: BigpipeProcess, text: string) => with_.call({ url, acl: { name: 'system-1', secret: text } });

/** Who may call is what the file says, from the answer of calls. */
async function expectSecret(running: BigpipeProcess, right: string, wrong: string): Promise<void> {
  expect((await asks(running, right)).body.errno).toBe(0);
  expect((await asks(running, wrong)).body.msg).toBe(refused);
}

describe('the file', () => {
  test('renamed over by an editor is in force, and no secret is in the log', async () => {
    const running = await started();
    await replaceConfig(running, withSecret(secret, { 'kafka.consumer.list': [baseConsumer({ rateLimit: 7 })] }));
    await untilCounted(running, 'version', 2);
    await expectSecret(running, secret, 'i am good');
    const line = running.log.find(({ msg }) => msg === 'configuration changed');
    expect(line?.['changes']).toEqual(['acl system-1.secret changed', 'consumer G1 of test.rateLimit 100000 -> 7']);
    expect(JSON.stringify(running.log)).not.toContain(secret);
  });

  test('written over in place, first half of it, changes nothing until it is whole', async () => {
    const running = await started();
    const whole = textOf(running, withSecret(secret));
    await writeFile(fileOf(running), whole.slice(0, whole.length / 2));
    await untilCounted(running, 'refused', 1);
    await expectSecret(running, 'i am good', secret);
    const { version, lastError } = await configPage(running);
    expect(version).toBe(1);
    expect(lastError?.faults).toEqual([expect.stringMatching(/^is not JSON: /)]);
    const health = await fetch(`${running.management}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      status: 'ok',
      details: { config: { status: 'up', detail: 'degraded', faults: [expect.stringMatching(/^is not JSON: /)] } },
    });
    expect((await fetch(`${running.origin}/readyz`)).status).toBe(200);
    await writeFile(fileOf(running), whole);
    await untilCounted(running, 'inError', 0);
    await expectSecret(running, secret, 'i am good');
    expect((await configPage(running)).lastError).toBeNull();
    expect(running.log.filter(({ level, context }) => level === 50 && context === 'ConfigWatch')).toHaveLength(1);
  });

  test('that breaks rules is refused with every fault and its key path', async () => {
    const running = await started();
    const bad = withSecret(secret, { 'log.level': 9, 'kafka.consumer.list': [baseConsumer({ rateLimit: 0 })] });
    await replaceConfig(running, bad);
    await untilCounted(running, 'refused', 1);
    await expectSecret(running, 'i am good', secret);
    const faults = [
      'log.level: found 9, allowed: a whole number from 0 to 5',
      'kafka.consumer.list[0].rateLimit: found 0, allowed: a number above 0, at most 1000000',
    ];
    expect((await configPage(running)).lastError?.faults).toEqual(faults);
    expect(running.log.find(({ level }) => level === 50)).toMatchObject({ faults });
  });

  test('that is taken away changes nothing, and is read when it is back', async () => {
    const running = await started();
    await rename(fileOf(running), join(running.directory, 'away'));
    await untilCounted(running, 'refused', 1);
    await expectSecret(running, 'i am good', secret);
    await replaceConfig(running, withSecret(secret));
    await untilCounted(running, 'version', 2);
    await expectSecret(running, secret, 'i am good');
  });

  test('behind links, as Kubernetes mounts a ConfigMap, is read when the link is swapped', async () => {
    const first = await started();
    const home = first.directory;
    await first.end('SIGTERM');
    for (const [mount, text] of [
      ['..first', 'i am good'],
      ['..second', secret],
    ] as const) {
      await mkdir(join(home, mount));
      await writeFile(join(home, mount, 'bigpipe.json'), textOf(first, withSecret(text)));
    }
    await symlink('..first', join(home, '..data'));
    await symlink('..data/bigpipe.json', join(home, 'link'));
    await rename(join(home, 'link'), fileOf(first));
    const running = await started({ directory: home });
    await expectSecret(running, 'i am good', secret);
    await symlink('..second', join(home, '..data_tmp'));
    await rename(join(home, '..data_tmp'), join(home, '..data'));
    await untilCounted(running, 'version', 2);
    await expectSecret(running, secret, 'i am good');
  });

  test('is read again on SIGHUP and on SIGUSR1, which opens no inspector', async () => {
    const running = await started();
    running.child.kill('SIGHUP');
    await untilCounted(running, 'reloads', 1);
    running.child.kill('SIGUSR1');
    await untilCounted(running, 'reloads', 2);
    expect(await configCounters(running)).toMatchObject({ version: 1, changed: 0, refused: 0 });
    expect(running.stderr).toEqual([]);
    expect(await running.end('SIGTERM')).toBe(0);
  });
});

describe('a reload', () => {
  test('of what needs a restart takes the rest and says what waits', async () => {
    const running = await started();
    const { port } = running;
    const config = withSecret(secret, { 'http.server.port': 10_999, 'broker.driver': 'memory' });
    await replaceConfig(running, config);
    await untilCounted(running, 'version', 2);
    await expectSecret(running, secret, 'i am good');
    expect(running.port).toBe(port);
    const { pendingRestart, settings } = await configPage(running);
    const lines = [
      'http.server.port 0 -> 10999 (needs a restart)',
      'broker.driver "embedded" -> "memory" (needs a restart)',
    ];
    expect(pendingRestart).toEqual(lines);
    expect(settings).toMatchObject({ 'http.server.port': 0, 'broker.driver': 'embedded' });
    const warned = running.log
      .filter(({ level, context }) => level === 40 && context === 'ConfigWatch')
      .map(({ msg }) => msg);
    expect(warned).toEqual(lines);
    await replaceConfig(running, withSecret('i am good'));
    await untilCounted(running, 'version', 3);
    expect((await configPage(running)).pendingRestart).toEqual([]);
  });

  test('reads references anew, and shows them and never what they stand for', async () => {
    const running = await started({ env: { SHOP_SECRET: 'i am good' } });
    const token = join(running.directory, 'token');
    await replaceConfig(running, withSecret(`\${file:${token}}`));
    await untilCounted(running, 'refused', 1);
    expect((await configPage(running)).lastError?.faults).toEqual([
      `kafka.producer.acl[0].secret: found \${file:${token}}, but ${token} cannot be read: ENOENT`,
    ]);
    await writeFile(token, `${secret}\n`);
    await untilCounted(running, 'version', 2);
    await expectSecret(running, secret, 'i am good');
    const rotated = 'hunter3-the-rotated-one';
    await writeFile(token, `${rotated}\n`);
    await untilCounted(running, 'version', 3);
    await expectSecret(running, rotated, secret);
    const page = await configPage(running);
    expect(page.settings['kafka.producer.acl']).toEqual([
      { name: 'system-1', secret: `\${file:${token}}`, topic: 'test' },
    ]);
    await replaceConfig(running, withSecret(`\${env:SHOP_SECRET}`));
    await untilCounted(running, 'version', 4);
    await expectSecret(running, 'i am good', rotated);
    const told = JSON.stringify([running.log, page, await configPage(running)]);
    for (const text of [secret, rotated, 'i am good']) expect(told).not.toContain(text);
  });

  test('changes the level of the log', async () => {
    const running = await started();
    const change = async (version: number, level: number, rateLimit: number) => {
      const consumers = [baseConsumer({ rateLimit })];
      await replaceConfig(running, baseConfig({ 'log.level': level, 'kafka.consumer.list': consumers }));
      await untilCounted(running, 'version', version);
    };
    await change(2, 2, 1);
    await change(3, 2, 2);
    await change(4, 4, 2);
    await change(5, 4, 3);
    const changed = () => running.log.filter(({ msg }) => msg === 'configuration changed');
    await until('the last change is in the log', () => changed().some(({ version }) => version === 5));
    // A change of the level is still told at the level before it.
    expect(changed().map(({ version }) => version)).toEqual([2, 5]);
  });

  test('moves the files of the log, and refuses a directory that cannot be one', async () => {
    const running = await started();
    const move = async (version: number, directory?: string) => {
      const changes = directory === undefined ? {} : { 'log.directory': directory };
      await replaceConfig(running, baseConfig(changes));
      await untilCounted(running, 'version', version);
    };
    const logged = async (directory: string) => {
      const names = await readdir(directory).catch(() => []);
      return (await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))).join('');
    };
    const [one, two] = [join(running.directory, 'one'), join(running.directory, 'two')];
    await move(2, one);
    await move(3, two);
    await until('the change is in the first files', async () => (await logged(one)).includes('"version":3'));
    await move(4);
    await until('the next one is in the second', async () => (await logged(two)).includes('"version":4'));
    expect(await logged(one)).not.toContain('"version":4');
    const noDirectory = fileOf(running);
    await replaceConfig(running, baseConfig({ 'log.directory': noDirectory }));
    await untilCounted(running, 'refused', 1);
    const faults = [`log.directory: found ${JSON.stringify(noDirectory)}: ${noDirectory} is no directory`];
    expect((await configPage(running)).lastError?.faults).toEqual(faults);
  });

  test('changes how large a body may be, and how many calls may wait', async () => {
    const running = await started();
    const long = () => running.call({ url, data: 'x'.repeat(5000) });
    expect((await long()).status).toBe(200);
    await replaceConfig(running, baseConfig({ 'http.server.max.body.size': 2000 }));
    await untilCounted(running, 'version', 2);
    expect((await long()).status).toBe(413);
    await replaceConfig(running, baseConfig({ 'http.server.max.body.size': 2_000_000 }));
    await untilCounted(running, 'version', 3);
    expect((await long()).body.errno).toBe(0);
    expect((await running.call({ url, data: 'x'.repeat(1_500_000) })).body.errno).toBe(0);
    await replaceConfig(running, baseConfig({ 'http.server.handler.channel.size': 1 }));
    await untilCounted(running, 'version', 4);
    const answers = await Promise.all(Array.from({ length: 50 }, () => running.call({ url })));
    expect(answers.map(({ body }) => body.msg)).toContain('超过负载');
  });

  test('changes the bounds of the listener, and leaves its connections open', async () => {
    const day = 86_400_000;
    const patient = { 'http.server.read.timeout': day, 'http.server.write.timeout': day };
    const running = await started({ config: baseConfig(patient) });
    const slow = connect(running.port, '127.0.0.1');
    const isClosed = new Set<Socket>();
    const noted = (socket: Socket) =>
      socket
        .on('error', () => undefined)
        .on('close', () => isClosed.add(socket))
        .resume();
    noted(slow).write('POST /rpc/call HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n');
    await replaceConfig(running, baseConfig({ ...patient, 'http.server.max.connections': 1 }));
    await untilCounted(running, 'version', 2);
    const beyond = noted(connect(running.port, '127.0.0.1'));
    await until('a connection beyond the bound is closed', () => isClosed.has(beyond));
    expect(isClosed.has(slow)).toBe(false);
    await replaceConfig(running, baseConfig({ ...patient, 'http.server.read.timeout': 200 }));
    await until('the request that does not come in is given up', () => isClosed.has(slow));
    await replaceConfig(running, baseConfig({ 'http.server.write.timeout': 200 }));
    await until('the last change', async () => running.log.some(({ version }) => version === 4));
    const unanswered = rawRequest(`${running.origin}/rpc/server/mock?delay=60000`, { method: 'GET' });
    await expect(unanswered).rejects.toThrow();
  });

  test('loses no call and repeats none', async () => {
    const running = await started();
    const target = await TargetServer.start();
    try {
      const rates = [50_000, 60_000];
      let sent = 0;
      for (let round = 0; round < 6; round += 1) {
        const consumers = [baseConsumer({ rateLimit: rates[round % 2] })];
        const calls = Array.from({ length: 100 }, () => running.call({ url: target.url() }));
        await replaceConfig(running, baseConfig({ 'kafka.consumer.list': consumers }));
        for (const { body } of await Promise.all(calls)) sent += body.errno === 0 ? 1 : 0;
        await untilCounted(running, 'version', round + 2);
      }
      expect(sent).toBe(600);
      await until('all have come', () => target.countById().size >= sent);
      expect([...target.countById().values()].every((count) => count === 1)).toBe(true);
    } finally {
      await target.close();
    }
  });
});
