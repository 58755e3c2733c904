// What a message costs while everything around it grows: the backlog, consumers, keys, destinations, and the message itself.
import { strict as assert } from 'node:assert';
import { setPaused } from '../support/bench-subscription.ts';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { type CallForm, callAcl, topicOf } from '../support/call-body.ts';
import type { Figure, Goal } from '../support/figures.ts';
import { type Axis, type Cost, type GrowthPoint, measureAxis } from '../support/growth-axis.ts';
import type { HelperProcess } from '../support/helper-process.ts';
import type { Lab, LoadGenerator } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import type { Arrivals, ReceiverCommands } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const inFlight = 64;
const per = 100_000;
/** With fewer the compiler is measured. Of the usual size, whatever grows. */
const warmCalls = 20_000;
/** The last commits come this long after the last delivery. */
const settleMs = 100;
const longestTurnMs = 150_000;
/** Of a million deliveries so many are waited for in one command, which has its bound. */
const awaitedAtOnce = 200_000;
/** Of a turn with large bodies, so that the disk is not what is measured. */
const turnBytes = 100_000_000;
/** Where the bodies are not what grows. */
const usualBytes = 1024;
/** Ten million of them find room. */
const backlogBytes = 100;
const defaultUsers = 10_000;
const quickKeys = 50_000;
const roomy = { 'broker.embedded.retention.bytes': 2 ** 40, 'http.server.max.body.size': 4_194_304 };

/** Who calls and who takes, for all points of an axis. */
interface Ends {
  readonly receiver: HelperProcess<ReceiverCommands>;
  readonly origin: string;
  readonly generator: LoadGenerator;
}

type Form = Partial<Pick<CallForm, 'users' | 'destinations' | 'bytes' | 'topics' | 'door'>>;

export async function growth(lab: Lab, flat: Goal): Promise<Figure[]> {
  const figures: Figure[] = [];
  const chosen = lab.sizes.axes ?? Object.keys(axes);
  const unknown = chosen.filter((name) => !(name in axes));
  if (unknown.length > 0)
    throw new Error(`no such axis: ${unknown.join(', ')}; there are ${Object.keys(axes).join(', ')}`);
  for (const name of chosen) {
    const axisOf = axes[name] as (typeof axes)[string];
    const { receiver, origin } = await lab.receiverOfMany(0);
    const generator = lab.generator();
    figures.push(...(await measureAxis(lab, axisOf(lab, { receiver, origin, generator }), flat)));
    await receiver.stop();
    await generator.stop();
  }
  return figures;
}

/** Who names how far it may go gets all points up to there, in a quick run too. */
const pointsOf = (lab: Lab, all: readonly number[], quick: readonly number[]) =>
  lab.quick && lab.sizes.most === null && lab.sizes.points === null ? quick : all;

const bodies = (lab: Lab, ends: Ends): Axis => ({
  name: 'bytes of a body',
  points: pointsOf(lab, [100, 1000, 10_000, 100_000, 1_000_000], [100, 1000, 10_000, 100_000]),
  isLine: true,
  open: async (bytes) => atOnce(lab, ends, await start(lab), { bytes }),
});

const destinations = (lab: Lab, ends: Ends): Axis => ({
  name: 'destinations',
  points: pointsOf(lab, [1, 10, 100, 1000, 10_000], [1, 100, 1000]),
  open: async (count) => {
    const app = await start(lab);
    // Each has its connection, if it may keep one.
    await callAndAwait(lab, ends, app, { destinations: count }, count);
    return atOnce(lab, ends, app, { destinations: count });
  },
});

const keys = (lab: Lab, ends: Ends): Axis => ({
  name: 'partition keys',
  points: pointsOf(lab, [1, 100, 10_000, 1_000_000], [1, 100, 10_000]),
  open: async (users) => {
    const directory = await lab.directory();
    await ends.receiver.call('reset', null);
    // Each key has been there once; of a million in a quick run only some.
    const count = lab.quick ? Math.min(users, quickKeys) : users;
    const callUrl = `${ends.origin}/hook`;
    await lab.fillLog(directory, { callUrl, count, users, bytes: backlogBytes });
    const app = await lab.app({ directory, concurrency: inFlight, settings: roomy });
    for (let least = 0; least < count; ) {
      least = Math.min(count, least + awaitedAtOnce);
      await untilAtLeast(ends, least);
    }
    app.freeze();
    return atOnce(lab, ends, app, { users });
  },
});

/** Each has a topic of its own, and the calls go to all topics in turns. */
const consumers = (lab: Lab, ends: Ends): Axis => ({
  name: 'consumers, each with a topic',
  points: pointsOf(lab, [1, 10, 100, 1000], [1, 10, 100]),
  open: async (count) => {
    const names = Array.from({ length: count }, (_, i) => topicOf(i));
    const limits = { rateLimit: 1_000_000, timeout: 60_000, retries: 2, concurrency: inFlight };
    const settings = {
      ...roomy,
      'kafka.topics': names.map((name) => ({ name, partitions: 1 })),
      'kafka.producer.acl': [{ ...callAcl, topic: names[0], topics: names }],
      'kafka.consumer.list': names.map((topic) => ({ topic, groupId: topic, ...limits })),
    };
    const app = await start(lab, settings);
    return atOnce(lab, ends, app, { topics: count, door: 'messages' });
  },
});

async function start(lab: Lab, settings: object = roomy): Promise<BigpipeApp> {
  const app = await lab.app({
    directory: await lab.directory(),
    concurrency: inFlight,
    settings: settings as Record<string, unknown>,
  });
  app.freeze();
  return app;
}

/** Calls that are delivered as they come. The program is frozen while others have their turn. */
function atOnce(lab: Lab, ends: Ends, app: BigpipeApp, form: Form): GrowthPoint {
  const usual = lab.quick ? 2000 : 4000;
  const count = Math.min(usual, Math.ceil(turnBytes / (form.bytes ?? usualBytes)));
  return {
    warm: async () => {
      await callAndAwait(lab, ends, app, { ...form, bytes: usualBytes }, warmCalls);
    },
    turn: () => callAndAwait(lab, ends, app, form, count),
    close: () => app.stop(),
  };
}

async function callAndAwait(lab: Lab, ends: Ends, app: BigpipeApp, form: Form, count: number): Promise<Cost> {
  const { receiver, origin, generator } = ends;
  await receiver.call('reset', null);
  app.thaw();
  await sleep(settleMs);
  const before = cpuSeconds(app.pid);
  const target = { port: app.port, connections: inFlight, callUrl: `${origin}/hook`, ...form };
  const { startedMs } = await lab.makeCalls(generator, { ...target, count });
  const lastMs = await untilDelivered(ends, count);
  await sleep(settleMs);
  const cpu = ((cpuSeconds(app.pid) - before) * per) / count;
  app.freeze();
  return { cpu, perSecond: (count * 1000) / (lastMs - startedMs) };
}

async function untilDelivered(ends: Ends, count: number): Promise<number> {
  const { distinct, repeated, lastMs } = await untilAtLeast(ends, count);
  assert.deepEqual({ distinct, repeated }, { distinct: count, repeated: 0 });
  return lastMs;
}

async function untilAtLeast({ receiver }: Ends, count: number): Promise<Arrivals> {
  const arrivals = await receiver.call('await', { distinct: count, timeoutMs: longestTurnMs });
  assert.ok(arrivals.distinct >= count, `${arrivals.distinct} of ${count} have arrived`);
  return arrivals;
}

/** A turn takes as many calls on top of the backlog as it delivers from its beginning: it stays what it is. */
const backlog = (lab: Lab, ends: Ends): Axis => ({
  name: 'messages of backlog',
  points: pointsOf(lab, [1000, 10_000, 100_000, 1_000_000, 10_000_000], [1000, 10_000, 100_000]),
  open: async (count) => {
    const directory = await lab.directory();
    const options = { directory, concurrency: inFlight, settings: roomy };
    const empty = await lab.app(options);
    await setPaused(empty, true);
    await empty.stop();
    const callUrl = `${ends.origin}/hook`;
    await lab.fillLog(directory, { callUrl, count, users: defaultUsers, bytes: backlogBytes });
    const app = await lab.app(options);
    app.freeze();
    const usual = lab.quick ? 2000 : 4000;
    return {
      warm: async () => {
        await behindBacklog(lab, ends, app, warmCalls);
      },
      turn: () => behindBacklog(lab, ends, app, usual),
      close: () => app.stop(),
    };
  },
});

async function behindBacklog(
  lab: Lab,
  { receiver, origin, generator }: Ends,
  app: BigpipeApp,
  count: number,
): Promise<Cost> {
  await receiver.call('reset', null);
  app.thaw();
  await sleep(settleMs);
  const startCpu = cpuSeconds(app.pid);
  const target = { port: app.port, connections: inFlight, callUrl: `${origin}/hook`, bytes: backlogBytes };
  const { startedMs, endedMs } = await lab.makeCalls(generator, { ...target, count });
  const middleCpu = cpuSeconds(app.pid);
  const resumedMs = performance.now();
  await setPaused(app, false);
  await receiver.call('await', { distinct: count, timeoutMs: longestTurnMs });
  const deliveredMs = performance.now() - resumedMs;
  const atLeast = (await receiver.call('count', null)).distinct;
  await setPaused(app, true);
  await sleep(settleMs);
  const { distinct, repeated } = await receiver.call('count', null);
  const endCpu = cpuSeconds(app.pid);
  app.freeze();
  assert.equal(repeated, 0);
  const [accepting, delivering] = [(endedMs - startedMs) / count, deliveredMs / atLeast];
  return {
    cpu: ((middleCpu - startCpu) / count + (endCpu - middleCpu) / distinct) * per,
    perSecond: 1000 / (accepting + delivering),
  };
}

const axes: Readonly<Record<string, (lab: Lab, ends: Ends) => Axis>> = {
  bodies,
  destinations,
  keys,
  consumers,
  backlog,
};
