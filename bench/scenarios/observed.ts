// What it costs to be looked at: calls accepted and delivered while Prometheus reads the metrics, and while traces are sent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const inFlight = 64;
const per = 100_000;
/** Fifteen times as often as usual. */
const scrapeMs = 1000;
const reference = 'not looked at';

export async function observed(lab: Lab, goal: Goal): Promise<Figure[]> {
  const count = lab.quick ? 10_000 : 30_000;
  const { receiver, origin } = await lab.receiver(0);
  const generator = lab.generator();
  const collector = await openCollector();
  const app = async (env: Record<string, string>) =>
    lab.app({ directory: await lab.directory(), concurrency: inFlight, env });
  const traced = (share: string) =>
    app({ ...collector.env, OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: share });
  const measured = async (of: BigpipeApp, isScraped = false) => {
    await receiver.call('reset', null);
    const before = cpuSeconds(of.pid);
    const scraping = isScraped ? setInterval(() => void scrape(of), scrapeMs) : undefined;
    await lab.makeCalls(generator, { port: of.port, connections: inFlight, callUrl: `${origin}/hook`, count });
    await receiver.call('await', { distinct: count, timeoutMs: 60_000 });
    clearInterval(scraping);
    return ((cpuSeconds(of.pid) - before) * per) / count;
  };
  /** A process that has just started would pay for compilation alone. */
  const warm = async (of: BigpipeApp): Promise<BigpipeApp> => {
    for (let turn = 0; turn < 3; turn += 1) await measured(of);
    return of;
  };
  const plain = await warm(await app({}));
  const compare = async (name: string, ours: () => Promise<number>, withGoal: boolean): Promise<Figure> => {
    const pairs = await inTurns(lab.quick ? 3 : 8, ours, () => measured(plain));
    const what = { name: `CPU, accepted and delivered, ${name}`, unit: 's/100k', reference, how: 'ratio' } as const;
    return comparedFigure(withGoal ? { ...what, goal } : what, pairs);
  };
  try {
    const figures = [await compare('metrics read once a second', () => measured(plain, true), true)];
    for (const [share, name] of [
      ['0.01', 'one trace in a hundred sent'],
      ['1', 'every trace sent'],
    ] as const) {
      const ours = await warm(await traced(share));
      figures.push(await compare(name, () => measured(ours), share !== '1'));
      await ours.stop();
    }
    return figures;
  } finally {
    collector.close();
  }
}

async function scrape({ managementPort }: BigpipeApp): Promise<void> {
  await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text();
}

/** Takes all spans and forgets them. */
async function openCollector() {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }, close: () => server.close() };
}
