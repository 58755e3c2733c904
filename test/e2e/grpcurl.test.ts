// grpcurl, which knows nothing of bigpipe but what reflection tells it.
import { execFile, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const hasGrpcurl = spawnSync('grpcurl', ['-version']).status === 0;
if (!hasGrpcurl) console.log('SKIPPED: grpcurl is not there, what it sees of the gRPC door is not tested');

describe.skipIf(!hasGrpcurl)('grpcurl', () => {
  let target: TargetServer;
  let bigpipe: BigpipeProcess;

  beforeAll(async () => {
    target = await TargetServer.start((_arrival, response) => void response.end('hello back'));
    bigpipe = await BigpipeProcess.start({
      config: baseConfig({ 'grpc.server.port': 0, 'grpc.server.host': '127.0.0.1' }),
    });
  });

  afterAll(async () => {
    await bigpipe.dispose();
    await target.close();
  });

  function grpcurl(...args: readonly string[]): Promise<{ out: string; err: string }> {
    const place = args.findIndex(
      (arg) => !arg.startsWith('-') && !arg.startsWith('{') && !arg.startsWith('authorization:'),
    );
    const all = ['-plaintext', ...args.slice(0, place), `127.0.0.1:${bigpipe.grpcPort}`, ...args.slice(place)];
    return new Promise((resolve) => execFile('grpcurl', all, (_error, out, err) => resolve({ out, err })));
  }

  const caller = ['-H', `authorization: ${basic('system-1', 'i am good')}`];

  test('lists and describes what there is', async () => {
    expect((await grpcurl('list')).out.trim().split('\n')).toEqual(['bigpipe.v1.Bigpipe', 'grpc.health.v1.Health']);
    const { out } = await grpcurl('describe', 'bigpipe.v1.Bigpipe');
    expect(out).toContain('rpc PublishStream ( stream .bigpipe.v1.PublishStreamRequest )');
    expect((await grpcurl('describe', 'bigpipe.v1.Message')).out).toContain('google.protobuf.Timestamp not_before');
    expect((await grpcurl('describe', 'google.rpc.ErrorInfo')).out).toContain('map<string, string> metadata = 3');
  });

  test('publishes, calls, and is told what is wrong', async () => {
    const message = (fields: object) => JSON.stringify({ message: { url: target.url(), ...fields } });
    const published = await grpcurl(
      ...caller,
      '-d',
      message({ id: 'a', delay: '0.01s' }),
      'bigpipe.v1.Bigpipe/Publish',
    );
    expect(JSON.parse(published.out)).toMatchObject({ id: 'a', durability: 'fsync' });
    await until('it arrives', () => target.arrivals.length === 1);
    const called = await grpcurl(...caller, '-d', message({}), 'bigpipe.v1.Bigpipe/Call');
    expect(JSON.parse(called.out)).toMatchObject({ status: 200, body: Buffer.from('hello back').toString('base64') });
    const wrong = await grpcurl(...caller, '-d', message({ type: 'a b' }), 'bigpipe.v1.Bigpipe/Publish');
    expect(wrong.err).toContain('Code: InvalidArgument');
    expect(wrong.err).toContain('message.type');
  });

  test('asks for health', async () => {
    expect(JSON.parse((await grpcurl('grpc.health.v1.Health/Check')).out)).toEqual({ status: 'SERVING' });
  });
});
