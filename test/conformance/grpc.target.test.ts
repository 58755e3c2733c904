// The gRPC target against every promise of the port, with a server that is not ours.
import { Metadata, status } from '@grpc/grpc-js';
import { GrpcTarget } from '#src/target/grpc/grpc.target.js';
import { GrpcReceiver } from '../support/grpc-receiver.js';
import { type TargetReceiver, targetSuite } from './target.suite.js';

async function receiver(): Promise<TargetReceiver> {
  const server = await GrpcReceiver.start();
  server.script = ({ body }, answer) => {
    const metadata = new Metadata();
    switch (own.habit) {
      case 'busy':
        metadata.set('grpc-retry-pushback-ms', '3000');
        answer({ code: status.RESOURCE_EXHAUSTED, details: 'busy', metadata });
        return;
      case 'fails':
        answer({ code: status.INTERNAL, details: 'broken ü' });
        return;
      case 'refuses':
        answer({ code: status.INVALID_ARGUMENT, details: 'no' });
        return;
      case 'takes':
        answer(null, Buffer.alloc(0));
        return;
      case 'echoes':
        answer(null, body);
        return;
      case 'silent':
    }
  };
  const own: TargetReceiver = {
    port: server.port,
    habit: 'takes',
    get arrivals() {
      return server.arrivals.map(({ body, metadata }) => ({
        body,
        header: (name: string) => metadata.get(name)[0]?.toString(),
      }));
    },
    close: async () => server.close(),
  };
  return own;
}

targetSuite('grpc', {
  make: (clock, configWatch) => new GrpcTarget(clock, configWatch),
  receiver,
  urlOf: (host, port) => `grpc://${host}:${port}/test.v1.Receiver/Take`,
  busyMs: 3000,
});
