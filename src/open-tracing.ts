// The tracing that the environment asks for: none, or to an OpenTelemetry collector.
import { Logger } from '@nestjs/common';
import type { Environment } from './config-watch/env.js';
import { tracingOf } from './config-watch/tracing-settings.js';
import type { Clock } from './message/clock.js';
import { NoTracing, type Tracing } from './stats/tracing/tracing.js';

/** A collector that is gone is told of, and not once a second. */
const quietMs = 60_000;

/** The packages are loaded only where they are needed. */
export async function openTracing(environment: Environment, clock: Clock): Promise<Tracing> {
  const settings = tracingOf(environment);
  if (settings === null) return new NoTracing();
  const { OtlpTracing } = await import('./stats/tracing/otlp.tracing.js');
  const log = new Logger('Tracing');
  let toldMs = Number.NEGATIVE_INFINITY;
  return new OtlpTracing(settings, (text) => {
    if (clock.elapsedMs() - toldMs < quietMs) return;
    toldMs = clock.elapsedMs();
    log.warn({ msg: 'traces could not be sent, or not all of them', detail: text.slice(0, 500) });
  });
}
