// Traces sent to an OpenTelemetry collector over OTLP; loaded only where the environment asks for it.
import {
  type Context,
  createTraceState,
  DiagLogLevel,
  diag,
  SpanKind as OtelKind,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TraceContext } from '../../message/trace-context.js';
import { version } from '../../message/version.js';
import { Span, type SpanFacts, type SpanKind, type SpanStart, Tracing, type TracingSettings } from './tracing.js';

/** A collector that does not answer must not hold up the end of the process. */
const closeMs = 5000;

const kinds = {
  server: OtelKind.SERVER,
  producer: OtelKind.PRODUCER,
  client: OtelKind.CLIENT,
} as const satisfies Record<SpanKind, OtelKind>;

export class OtlpTracing extends Tracing {
  private readonly provider: TracerProvider;
  private readonly tracer: Tracer;
  private readonly followsParent: boolean;

  /** `warn` is told what goes wrong with the collector. */
  constructor(
    { protocol, sampler, ratio, delayMs, maxQueued, maxBatch }: TracingSettings,
    warn: (text: string) => void,
  ) {
    super();
    this.followsParent = sampler.followsParent;
    const quiet = () => undefined;
    diag.setLogger(
      { error: warn, warn, info: quiet, debug: quiet, verbose: quiet },
      { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
    );
    const resource = resourceFromAttributes({ 'service.name': 'bigpipe', 'service.version': version });
    const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
    this.provider = new TracerProvider({
      sampler: samplerOf(sampler, ratio),
      resource: defaultResource()
        .merge(resource)
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          scheduledDelayMillis: delayMs,
          maxQueueSize: maxQueued,
          maxExportBatchSize: maxBatch,
        }),
      ],
    });
    this.tracer = this.provider.getTracer('bigpipe', version);
  }

  override begin({ name, kind, parent, isLinked }: SpanStart): Span {
    if (parent !== null && this.followsParent && !isSampled(parent)) return new PassedOn(parent);
    const context = parent === null ? ROOT_CONTEXT : contextOf(parent);
    const linked = isLinked ? trace.getSpanContext(context) : undefined;
    const links = linked === undefined ? [] : [{ context: linked }];
    return new OtlpSpan(this.tracer.startSpan(name, { kind: kinds[kind], links }, context), parent?.tracestate ?? null);
  }

  override async close(): Promise<void> {
    // What could not be sent is told by then, and is lost.
    await this.provider.forceFlush({ timeoutMillis: closeMs }).catch(() => undefined);
    void this.provider.shutdown().catch(() => undefined);
  }
}

class OtlpSpan extends Span {
  override readonly context: TraceContext;

  constructor(
    private readonly span: OtelSpan,
    tracestate: string | null,
  ) {
    super();
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.context = { traceparent: `00-${traceId}-${spanId}-0${traceFlags & 1}`, tracestate };
  }

  override end(facts: () => SpanFacts, error: string | null): void {
    const { span } = this;
    if (!span.isRecording()) return;
    span.setAttributes(facts());
    if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
    span.end();
  }
}

/** Of a trace that is not recorded: its context goes on as it came, and costs no more than that. */
class PassedOn extends Span {
  constructor(override readonly context: TraceContext) {
    super();
  }

  override end(): void {}
}

const isSampled = ({ traceparent }: TraceContext): boolean => (flagsOf(traceparent) & 1) === 1;
const flagsOf = (traceparent: string): number => Number.parseInt(traceparent.slice(53, 55), 16);

function contextOf({ traceparent, tracestate }: TraceContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceparent.slice(3, 35),
    spanId: traceparent.slice(36, 52),
    traceFlags: flagsOf(traceparent) & 1,
    isRemote: true,
    ...(tracestate === null ? {} : { traceState: createTraceState(tracestate) }),
  });
}

function samplerOf({ root, followsParent }: TracingSettings['sampler'], ratio: number): Sampler {
  const own = rootSamplerOf(root, ratio);
  return followsParent ? new ParentBasedSampler({ root: own }) : own;
}

function rootSamplerOf(root: TracingSettings['sampler']['root'], ratio: number): Sampler {
  switch (root) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
  }
}
