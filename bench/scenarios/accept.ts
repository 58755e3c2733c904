// How many calls a second are stored durably and answered, against what answers or stores and does nothing else.
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { type Appended, appendedPerSecond, type LatencySummary } from '../support/protocol.ts';
import { inTurns, pairsToCompile } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
const partitions = 8;

export interface AcceptSetting {
  /** embedded: against bare node:http with the same body. kafka: against a bare client with as many callers, without HTTP. */
  readonly broker: 'embedded' | 'kafka';
  readonly connections: number;
  readonly goal?: Goal;
}

interface Measured {
  readonly perSecond: number;
  /** Seconds for 100,000, of the process that answers. */
  readonly cpu: number;
  readonly latency: LatencySummary;
}

interface Sides {
  readonly app: BigpipeApp;
  readonly reference: string;
  readonly ours: (durationMs: number) => Promise<Measured>;
  readonly limit: (durationMs: number) => Promise<Measured>;
}

export async function accept(lab: Lab, setting: AcceptSetting): Promise<Figure[]> {
  const { broker, connections, goal } = setting;
  const { app, reference, ours, limit } = await (broker === 'kafka' ? onKafka : onDisk)(lab, connections);
  await app.checkDurable(nobody);
  const durationMs = lab.quick ? 1000 : 1500;
  const pairs = await inTurns(
    lab.quick ? 3 : 8,
    () => ours(durationMs),
    () => limit(durationMs),
    pairsToCompile,
  );
  const between = (of: (result: Measured) => number) =>
    pairs.map((pair) => ({ ours: of(pair.ours), limit: of(pair.limit) }));
  const at = `${broker === 'kafka' ? 'on Kafka ' : ''}at ${connections} connections`;
  const rate = { name: `accepted ${at}`, unit: '/s', reference, how: 'ratio' } as const;
  return [
    comparedFigure(
      goal === undefined ? rate : { ...rate, goal },
      between((r) => r.perSecond),
    ),
    comparedFigure(
      { name: `accepted ${at}, CPU`, unit: 's/100k', reference, how: 'ratio' },
      between((r) => r.cpu),
    ),
    comparedFigure(
      { name: `answer p50 ${at}`, unit: 'ms', reference, how: 'above' },
      between((r) => r.latency.p50Ms),
    ),
    comparedFigure(
      { name: `answer p99 ${at}`, unit: 'ms', reference, how: 'above' },
      between((r) => r.latency.p99Ms),
    ),
    { name: `answer max ${at}`, unit: 'ms', value: median(pairs.map((pair) => pair.ours.latency.maxMs)) },
  ];
}

async function onDisk(lab: Lab, connections: number): Promise<Sides> {
  const app = await lab.app({ directory: await lab.directory(), concurrency: null });
  const bare = await lab.bareHttp(null);
  const window = windows(lab, connections);
  return {
    app,
    reference: 'bare node:http',
    ours: (durationMs) => window(app, durationMs),
    limit: (durationMs) => window({ port: bare.port, pid: bare.server.pid }, durationMs),
  };
}

async function onKafka(lab: Lab, connections: number): Promise<Sides> {
  const kafka = await lab.kafka();
  const { servers } = kafka;
  const app = await lab.app({
    directory: await lab.directory(),
    concurrency: null,
    partitions,
    kafka: { servers, topic: kafka.nameOf('ours') },
  });
  const topic = await kafka.topic('bare', partitions);
  const client = lab.kafkaAppender('bare-kafkajs');
  await client.call('open', { servers, topic, partitions, lingerMs: 1, callers: connections });
  const window = windows(lab, connections);
  return {
    app,
    reference: 'bare kafkajs, no HTTP',
    ours: (durationMs) => window(app, durationMs),
    limit: async (durationMs) => measuredAppends(await client.call('run', { durationMs })),
  };
}

interface Server {
  readonly port: number;
  readonly pid: number;
}

function windows(lab: Lab, connections: number): (server: Server, durationMs: number) => Promise<Measured> {
  const generator = lab.generator();
  return async ({ port, pid }, durationMs) => {
    const cpuBefore = cpuSeconds(pid);
    const load = await lab.makeCalls(generator, { port, connections, callUrl: nobody, durationMs });
    const { accepted, startedMs, endedMs, latency } = load;
    const cpu = ((cpuSeconds(pid) - cpuBefore) * 100_000) / accepted;
    return { perSecond: (accepted * 1000) / (endedMs - startedMs), cpu, latency };
  };
}

function measuredAppends(result: Appended): Measured {
  const { appended, latency } = result;
  return { perSecond: appendedPerSecond(result), cpu: (result.cpuSeconds * 100_000) / appended, latency };
}
