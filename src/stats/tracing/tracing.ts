// THE PORT to whoever collects traces. Off, it costs a call that returns null.
import type { TraceContext } from '../../message/trace-context.js';

/** Address, headers, timeout, compression and certificates the exporter takes from OTEL_EXPORTER_OTLP_* itself. */
export interface TracingSettings {
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly sampler: { readonly root: 'always_on' | 'always_off' | 'traceidratio'; readonly followsParent: boolean };
  /** Of the traces that begin here, for traceidratio. */
  readonly ratio: number;
  readonly delayMs: number;
  /** Spans beyond it are dropped: nothing waits for a collector. */
  readonly maxQueued: number;
  readonly maxBatch: number;
}

/** OTEL_TRACES_SAMPLER, as far as it is known here. */
export const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SpanKind = 'server' | 'producer' | 'client';
export type SpanFacts = Readonly<Record<string, string | number>>;

export interface SpanStart {
  /** Of few values: it is what people search by. */
  readonly name: string;
  readonly kind: SpanKind;
  /** null: a trace begins here. */
  readonly parent: TraceContext | null;
  /** True: the parent is linked as well, since it ended before, maybe in another process. */
  readonly isLinked: boolean;
}

/** Exactly one `end`, once. */
export abstract class Span {
  /** What goes on to whoever comes next, also where nothing is recorded. */
  abstract readonly context: TraceContext;
  /** `facts` is called where something is recorded. `error` null: it went well. */
  abstract end(facts: () => SpanFacts, error: string | null): void;
}

export abstract class Tracing {
  /** null: nothing is traced, and the context that came is passed on as it is. */
  abstract begin(start: SpanStart): Span | null;
  /** Sends what is left, within a bound. */
  abstract close(): Promise<void>;
}

export class NoTracing extends Tracing {
  override begin(_start: SpanStart): null {
    return null;
  }

  override async close(): Promise<void> {}
}
