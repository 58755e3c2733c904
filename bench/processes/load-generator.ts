// Makes the calls: prebuilt bytes on raw sockets, one request in flight on each.
import { CallRequest } from '../support/call-body.ts';
import { Latencies, nowMs, nowUs } from '../support/latency.ts';
import { LoadConnection } from '../support/load-connection.ts';
import type { ClosedLoad, LoadCommands, LoadResult, LoadTarget, SteadyLoad } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

/** After the last call has been made, how long its answer may take. */
const lastAnswersMs = 30_000;

class Run {
  private readonly target: LoadTarget;
  private readonly connections: readonly LoadConnection[];
  private readonly latencies = new Latencies();
  private sequence: number;
  private accepted = 0;
  private refused = 0;
  private sample = '';
  private startedMs = 0;
  private endedMs = 0;

  constructor(target: LoadTarget, connections: readonly LoadConnection[]) {
    this.target = target;
    this.connections = connections;
    this.sequence = target.firstSequence;
  }

  begin(): void {
    this.startedMs = nowMs();
  }

  send(connection: LoadConnection, then: () => void): void {
    const sentUs = nowUs();
    connection.request.stamp(sentUs, this.sequence);
    this.sequence += 1;
    connection.send((fault) => {
      this.endedMs = nowMs();
      if (fault === null) {
        this.accepted += 1;
        this.latencies.record(this.endedMs * 1000 - sentUs);
      } else {
        this.refused += 1;
        this.sample = fault;
      }
      then();
    });
  }

  get made(): number {
    return this.sequence - this.target.firstSequence;
  }

  finish(): LoadResult {
    for (const connection of this.connections) connection.close();
    const { accepted, refused, sample, startedMs, endedMs } = this;
    return { accepted, refused, sample, startedMs, endedMs, latency: this.latencies.summary() };
  }
}

function connect({ port, connections, ...form }: LoadTarget): Promise<LoadConnection[]> {
  const open = () => LoadConnection.open(port, new CallRequest(`127.0.0.1:${port}`, form));
  return Promise.all(Array.from({ length: connections }, open));
}

/** Each connection makes its next call as soon as it has the answer to the last one. */
async function closed(load: ClosedLoad): Promise<LoadResult> {
  const connections = await connect(load);
  const run = new Run(load, connections);
  run.begin();
  const endMs = nowMs() + load.durationMs;
  const keepCalling = (connection: LoadConnection, done: () => void) => {
    if (run.made >= load.count || !connection.isOpen || nowMs() >= endMs) done();
    else run.send(connection, () => keepCalling(connection, done));
  };
  const all = connections.map((connection) => new Promise<void>((done) => keepCalling(connection, done)));
  await within(load.durationMs + lastAnswersMs, Promise.all(all));
  return run.finish();
}

let isEnded = false;

function end(): null {
  isEnded = true;
  return null;
}

/** Calls at a steady rate, whatever the answers do; a call for which no connection is free is made when one is. */
async function steady(load: SteadyLoad): Promise<LoadResult> {
  const connections = await connect(load);
  const run = new Run(load, connections);
  const free = [...connections];
  let under = 0;
  run.begin();
  isEnded = false;
  const startMs = nowMs();
  const total = Math.floor((load.perSecond * load.durationMs) / 1000);
  await new Promise<void>((done) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((nowMs() - startMs) * load.perSecond) / 1000));
      while (!isEnded && run.made < due && free.length > 0) {
        const connection = free.shift() as LoadConnection;
        under += 1;
        run.send(connection, () => {
          under -= 1;
          if (connection.isOpen) free.push(connection);
        });
      }
      const late = nowMs() - startMs > load.durationMs + lastAnswersMs;
      if (((isEnded || run.made >= total) && under === 0) || late) {
        clearInterval(timer);
        done();
      }
    }, 1);
  });
  return run.finish();
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, bound]);
  clearTimeout(timer);
}

serveCommands<LoadCommands>({ closed, steady, end });
