// The span of one attempt: it goes to the receiver as its parent, and hangs on the append of the message.
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { storedTrace } from '../../message/trace-context.js';
import type { Span, SpanFacts, Tracing } from '../../stats/tracing/tracing.js';

/** null where nothing is traced: then the receiver gets the context as it was stored. */
export function beginAttempt(tracing: Tracing, delivery: Delivery): Span | null {
  const { source, origin } = delivery;
  const span = tracing.begin({
    name: `deliver ${origin.topic}`,
    kind: 'client',
    parent: storedTrace(source.headers),
    isLinked: true,
  });
  delivery.attemptTrace = span?.context ?? null;
  return span;
}

export function endAttempt(span: Span, delivery: Delivery, group: string, outcome: Outcome): void {
  span.end(() => factsOf(delivery, group, outcome), faultOf(outcome));
}

function factsOf(
  { id, origin, attempt, redelivery, url, destination }: Delivery,
  group: string,
  outcome: Outcome,
): SpanFacts {
  const status = outcome.kind === 'aborted' ? 0 : outcome.status;
  return {
    'messaging.system': 'bigpipe',
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'deliver',
    'messaging.destination.name': origin.topic,
    'messaging.consumer.group.name': group,
    'messaging.destination.partition.id': `${origin.partition}`,
    'messaging.message.id': id,
    'http.request.method': 'POST',
    // Without its path: that may hold what is nobody else's business.
    'server.address': url.origin,
    'bigpipe.offset': Number(origin.offset),
    'bigpipe.destination': destination,
    'bigpipe.attempt': attempt,
    'bigpipe.outcome': outcome.kind,
    ...(redelivery === null ? {} : { 'bigpipe.redelivery': redelivery }),
    ...(status === 0 ? {} : { 'http.response.status_code': status }),
  };
}

function faultOf(outcome: Outcome): string | null {
  if (outcome.kind === 'delivered') return null;
  return outcome.kind === 'aborted' ? 'aborted' : outcome.detail;
}
