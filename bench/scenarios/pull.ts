// How fast a backlog is fetched and acked, over HTTP and by a subscriber over gRPC, against the same backlog sent to a receiver.
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { HelperProcess } from '../support/helper-process.ts';
import type { Lab } from '../support/lab.ts';
import type { Fetched, ReceiverCommands } from '../support/protocol.ts';
import { inTurns, sleep } from '../support/windows.ts';

const topic = 'bench';
/** Each has the whole backlog for itself. */
const groups = { http: 'over-http', grpc: 'over-grpc' } as const;
const inFlight = 100;
/** HTTP: so many requests at once, of so many messages each. */
const loops = 4;
const max = 100;
/** After the program was frozen or thawed. */
const settleMs = 120;

const consumer = {
  topic,
  delivery: 'pull',
  rateLimit: 1_000_000,
  timeout: 60_000,
  retries: 2,
  concurrency: loops * max,
};

export async function pull(lab: Lab, goal: Goal): Promise<Figure[]> {
  const messages = lab.quick ? 60_000 : 150_000;
  const pairs = lab.quick ? 3 : 5;
  const windowMs = lab.quick ? 400 : 600;
  const { receiver, origin } = await lab.receiver(0);
  const [pushed, fetched] = [await lab.directory(), await lab.directory()];
  // What is sent is measured beside each of the two.
  await lab.fill(pushed, `${origin}/hook`, 2 * messages);
  await lab.fill(fetched, `${origin}/hook`, messages);
  const pushing = await lab.app({ directory: pushed, concurrency: inFlight });
  await sleep(500);
  pushing.freeze();
  const fetching = await lab.app({
    directory: fetched,
    concurrency: loops * max,
    caller: { pull: Object.values(groups) },
    settings: {
      'kafka.consumer.list': Object.values(groups).map((groupId) => ({ ...consumer, groupId })),
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
    },
  });
  const puller = lab.puller();
  const figure = async (name: string, ours: () => Promise<Fetched>): Promise<Figure> => {
    const turns = await inTurns(
      pairs,
      async () => perSecond(await ours()),
      () => oneWindow(pushing, receiver, windowMs),
    );
    return comparedFigure({ name, unit: '/s', reference: 'sent, 100 in flight', how: 'ratio', goal }, turns);
  };
  return [
    await figure('fetched over HTTP', () =>
      puller.call('pull', { port: fetching.port, group: groups.http, loops, max, durationMs: windowMs }),
    ),
    await figure('fetched over gRPC', () =>
      puller.call('subscribe', {
        port: fetching.grpcPort,
        group: groups.grpc,
        credits: loops * max,
        durationMs: windowMs,
      }),
    ),
  ];
}

/** Null when the backlog is at its end. */
const perSecond = ({ acked, elapsedMs }: Fetched) => (acked === 0 ? null : (acked * 1000) / elapsedMs);

async function oneWindow(app: BigpipeApp, receiver: HelperProcess<ReceiverCommands>, windowMs: number) {
  app.thaw();
  await sleep(settleMs);
  const before = await receiver.call('count', null);
  await sleep(windowMs);
  const after = await receiver.call('count', null);
  app.freeze();
  await sleep(settleMs);
  const delivered = after.distinct - before.distinct;
  if (delivered === 0) throw new Error('the backlog that is sent was at its end');
  return (delivered * 1000) / (after.lastMs - before.lastMs);
}
