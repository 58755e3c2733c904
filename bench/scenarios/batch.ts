// How many calls a second the batch door takes, against one call a request at the same door's single form: as durable, as large.
import { AskingConnection } from '../support/asking-connection.ts';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { callAuthorization, defaultUsers, sampleData } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
/** Requests in flight, and calls in each: as many calls wait as with the single form's 64 connections, times six. */
const connections = 4;
const callsOfRequest = 100;
const singleConnections = 64;
const per = 100_000;
const accepted = '"status":202';

interface Window {
  readonly perSecond: number;
  /** Seconds for 100,000. */
  readonly cpu: number;
}

export async function batch(lab: Lab, goal: Goal): Promise<Figure[]> {
  const app = await lab.app({ directory: await lab.directory(), concurrency: null });
  await app.checkDurable(nobody);
  const generator = lab.generator();
  const durationMs = lab.quick ? 800 : 1500;
  const single = async (): Promise<Window> => {
    const before = cpuSeconds(app.pid);
    const load = {
      port: app.port,
      connections: singleConnections,
      callUrl: nobody,
      durationMs,
      door: 'messages',
    } as const;
    const { accepted: calls, startedMs, endedMs } = await lab.makeCalls(generator, load);
    return { perSecond: (calls * 1000) / (endedMs - startedMs), cpu: ((cpuSeconds(app.pid) - before) * per) / calls };
  };
  const asking = await Promise.all(Array.from({ length: connections }, () => AskingConnection.open(app.port)));
  const pairs = await inTurns(lab.quick ? 3 : 8, () => inBatches(app, asking, durationMs), single);
  for (const connection of asking) connection.close();
  const between = (of: keyof Window) => pairs.map(({ ours, limit }) => ({ ours: ours[of], limit: limit[of] }));
  const [name, reference] = [`calls in batches of ${callsOfRequest}`, 'one call a request'];
  return [
    comparedFigure({ name, unit: '/s', reference, how: 'ratio' }, between('perSecond')),
    comparedFigure({ name: `${name}, CPU`, unit: 's/100k', reference, how: 'ratio' }, between('cpu')),
    { name: `${name}, a second`, unit: '/s', value: median(pairs.map(({ ours }) => ours.perSecond)), goal },
  ];
}

/** Each connection sends the next request as soon as it has the answer to the last one; every line has to be accepted. */
async function inBatches(app: BigpipeApp, asking: readonly AskingConnection[], durationMs: number): Promise<Window> {
  const before = cpuSeconds(app.pid);
  const startedMs = performance.now();
  let calls = 0;
  let user = 0;
  const requestOf = () => {
    const lines = Array.from({ length: callsOfRequest }, () => {
      user = (user + 1) % defaultUsers;
      return `${JSON.stringify({ url: nobody, key: `user-${user}`, data: sampleData() })}\n`;
    });
    return {
      path: '/v1/messages:batch',
      headers: [callAuthorization, 'content-type: application/x-ndjson'],
      body: lines.join(''),
    };
  };
  // Made once: the bench's own work is not what is measured.
  const requests = asking.map(requestOf);
  const keepAsking = async (connection: AskingConnection, i: number) => {
    while (performance.now() - startedMs < durationMs) {
      const answer = await connection.ask(requests[i] as ReturnType<typeof requestOf>);
      const taken = answer.split(accepted).length - 1;
      if (taken !== callsOfRequest)
        throw new Error(`${taken} of ${callsOfRequest} were accepted: ${answer.slice(0, 500)}`);
      calls += taken;
    }
  };
  await Promise.all(asking.map(keepAsking));
  const seconds = (performance.now() - startedMs) / 1000;
  return { perSecond: calls / seconds, cpu: ((cpuSeconds(app.pid) - before) * per) / calls };
}
