// The HTTP target against every promise of the port.
import { HttpTarget } from '#src/target/http/http.target.js';
import { TargetServer } from '../support/target-server.js';
import { type TargetReceiver, targetSuite } from './target.suite.js';

async function receiver(): Promise<TargetReceiver> {
  const server = await TargetServer.start((arrival, response) => {
    if (own.habit === 'silent') return;
    if (own.habit === 'busy') response.writeHead(429, { 'retry-after': '3' });
    if (own.habit === 'fails') response.statusCode = 500;
    if (own.habit === 'refuses') response.statusCode = 400;
    const text = { takes: '', busy: '', fails: 'broken', refuses: 'no', echoes: arrival.body }[own.habit];
    response.end(text);
  });
  const own: TargetReceiver = {
    port: server.port,
    habit: 'takes',
    get arrivals() {
      return server.arrivals.map(({ body, headers }) => ({
        body,
        header: (name: string) => headers[name]?.toString(),
      }));
    },
    close: () => server.close(),
  };
  return own;
}

targetSuite('http', {
  make: (clock, configWatch) => new HttpTarget(clock, configWatch),
  receiver,
  urlOf: (host, port) => `http://${host}:${port}/`,
  busyMs: 3000,
});
