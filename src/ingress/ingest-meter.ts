// Counts what callers are answered at each door, and how long that took, for /metrics; and begins the trace of each call.
import { Injectable } from '@nestjs/common';
import { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { plainTraceparent, plainTracestate, traceContextOf } from '../message/trace-context.js';
import type { CounterFamily, HistogramFamily } from '../stats/metrics/counted.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { type Span, type SpanFacts, Tracing } from '../stats/tracing/tracing.js';
import { durabilityHeader } from './durability-word.js';
import type { DoorReply, DoorRequest } from './exchange.js';
import { idempotencyScopeHeader } from './idempotency-key.js';
import { hasWaited } from './waiting-caller.js';

/**
 * accepted: it is stored. refused: as it is, it will never be taken. throttled: its caller has used up its rate. overloaded: it may
 * be taken later. failed: a fault of bigpipe's own.
 */
export type IngestOutcome = 'accepted' | 'refused' | 'throttled' | 'overloaded' | 'failed';

@Injectable()
export class IngestMeter {
  private readonly requests: CounterFamily;
  private readonly durations: HistogramFamily;

  constructor(
    private readonly clock: Clock,
    private readonly tracing: Tracing,
    metrics: Metrics,
  ) {
    this.requests = metrics.counter('bigpipe_ingest_requests_total', 'Requests at the doors, by what was answered', [
      'door',
      'outcome',
    ]);
    this.durations = metrics.histogram(
      'bigpipe_ingest_duration_seconds',
      'From a request that is read to its answer; without those that waited for a receiver',
      ['door'],
    );
  }

  /** `handle` with its answers counted. What it passes on as the caller's trace is the span of this request, where there is one. */
  around<Request extends DoorRequest, Reply extends DoorReply>(
    door: string,
    path: string,
    handle: (request: Request, reply: Reply) => Promise<Reply>,
  ): (request: Request, reply: Reply) => Promise<Reply> {
    const accepted = this.requests.of(door, 'accepted');
    const duration = this.durations.of(door);
    return async (request, reply) => {
      const startedMs = this.clock.elapsedMs();
      const span = this.beginAccept(request, path);
      try {
        await handle(request, reply);
      } catch (error) {
        this.count(door, 'failed');
        span?.end(() => factsOf(request, path, 500, 'failed'), textOf(error));
        throw error;
      }
      const outcome = outcomeOf(reply);
      span?.end(() => factsOf(request, path, reply.statusCode, outcome), outcome === 'failed' ? outcome : null);
      if (outcome !== 'accepted') this.count(door, outcome);
      else {
        accepted.value += 1;
        if (!hasWaited(reply.raw)) duration.observe((this.clock.elapsedMs() - startedMs) / 1000);
      }
      return reply;
    };
  }

  private beginAccept({ headers }: DoorRequest, path: string): Span | null {
    const parent = traceContextOf(headers[plainTraceparent], headers[plainTracestate]);
    const span = this.tracing.begin({ name: `POST ${path}`, kind: 'server', parent, isLinked: false });
    if (span === null) return null;
    headers[plainTraceparent] = span.context.traceparent;
    if (span.context.tracestate === null) delete headers[plainTracestate];
    return span;
  }

  /** For requests whose body could not be read, and for doors that are no HTTP routes. */
  count(door: string, outcome: IngestOutcome): void {
    this.requests.of(door, outcome).value += 1;
  }
}

function factsOf({ method }: DoorRequest, path: string, status: number, outcome: IngestOutcome): SpanFacts {
  return {
    'http.request.method': method,
    'http.route': path,
    'http.response.status_code': status,
    'bigpipe.outcome': outcome,
  };
}

/** By what the doors say anyway: the original's answers 200 to everything, and tells the rest in headers. */
function outcomeOf(reply: DoorReply): IngestOutcome {
  if (reply.hasHeader(durabilityHeader)) return 'accepted';
  const status = reply.statusCode;
  const why = reply.getHeader('bigpipe-error');
  if (status === 429 || why === 'throttled') return 'throttled';
  if (why === 'idempotency-in-progress' || why === 'idempotency-mismatch') return 'refused';
  if (status === 503 || (status < 300 && reply.hasHeader('retry-after'))) return 'overloaded';
  if (status >= 500 || (status < 300 && why !== undefined)) return 'failed';
  // A batch says for each line what became of it.
  return status < 300 && reply.hasHeader(idempotencyScopeHeader) ? 'accepted' : 'refused';
}
