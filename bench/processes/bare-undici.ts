// The limit of sending: undici's Agent.dispatch with so many requests in flight, and nothing else.
import { Agent, type Dispatcher } from 'undici';
import { sampleData } from '../support/call-body.ts';
import { nowMs } from '../support/latency.ts';
import type { SenderCommands, Sent } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const headers = ['content-type', 'application/octet-stream', 'user-agent', 'bench'];
/** Without digits at its start, so that the receiver does not take it for a call. */
const body = Buffer.from(sampleData().replaceAll('0', 'x'));

/** Kept, so that only the first window pays for connections. */
let agent: Agent | null = null;

class Exchange implements Dispatcher.DispatchHandler {
  private readonly ended: (ok: boolean) => void;
  private status = 0;

  constructor(ended: (ok: boolean) => void) {
    this.ended = ended;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status;
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    this.ended(this.status === 200);
  }

  onResponseError(): void {
    this.ended(false);
  }
}

async function send(request: SenderCommands['send']['request']): Promise<Sent> {
  const { origin, concurrency, count, durationMs } = request;
  agent ??= new Agent({ connections: concurrency, pipelining: 1, allowH2: false, keepAliveTimeout: 60_000 });
  const pool = agent;
  const startedMs = nowMs();
  let made = 0;
  let sent = 0;
  let failed = 0;
  const keepSending = (done: () => void) => {
    if (made >= count || nowMs() - startedMs >= durationMs) {
      done();
      return;
    }
    made += 1;
    const exchange = new Exchange((ok) => {
      if (ok) sent += 1;
      else failed += 1;
      keepSending(done);
    });
    pool.dispatch({ origin, path: '/hook', method: 'POST', headers, body }, exchange);
  };
  await Promise.all(Array.from({ length: concurrency }, () => new Promise<void>(keepSending)));
  const elapsedMs = nowMs() - startedMs;
  return { sent, failed, elapsedMs };
}

serveCommands<SenderCommands>({ send });
