// What the OTEL_* variables of the environment say about traces; null: none are made.
import type { TracingSettings } from '../stats/tracing/tracing.js';
import type { Environment } from './env.js';

export function tracingOf(environment: Environment): TracingSettings | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = environment;
  const isOff = environment.OTEL_SDK_DISABLED === 'true' || environment.OTEL_TRACES_EXPORTER === 'none';
  if (isOff || (all === undefined && own === undefined)) return null;
  const protocol =
    environment.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? environment.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/protobuf';
  const sampler = environment.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on';
  const followsParent = sampler.startsWith('parentbased_');
  return {
    protocol: protocol as TracingSettings['protocol'],
    sampler: { root: sampler.replace('parentbased_', '') as TracingSettings['sampler']['root'], followsParent },
    ratio: Number(environment.OTEL_TRACES_SAMPLER_ARG ?? 1),
    delayMs: Number(environment.OTEL_BSP_SCHEDULE_DELAY ?? 5000),
    maxQueued: Number(environment.OTEL_BSP_MAX_QUEUE_SIZE ?? 8192),
    maxBatch: Number(environment.OTEL_BSP_MAX_EXPORT_BATCH_SIZE ?? 512),
  };
}
