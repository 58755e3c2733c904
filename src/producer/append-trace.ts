// The span of a message's append, whose context is stored with the message and goes on from there.
import { textOf } from '../message/errors.js';
import { type Message, messageHeader, type Position } from '../message/message.js';
import { putTrace, storedTrace } from '../message/trace-context.js';
import type { Span, Tracing } from '../stats/tracing/tracing.js';

export interface TracedAppends {
  /** The messages as they are to be stored. */
  readonly traced: readonly Message[];
  /** The append is over; `error` null: it went well. */
  readonly end: (positions: readonly (Position | null)[], error: unknown) => void;
}

/** Untouched where nothing is traced. */
export function traceAppends(tracing: Tracing, messages: readonly Message[]): TracedAppends {
  const first = messages[0];
  const span = first === undefined ? null : begin(tracing, first);
  if (first === undefined || span === null) return { traced: messages, end: () => undefined };
  const spans = [span, ...messages.slice(1).map((message) => begin(tracing, message) as Span)];
  return {
    traced: messages.map((message, i) => withTrace(message, spans[i] as Span)),
    end: (positions, error) => {
      for (const [i, message] of messages.entries()) endOne(spans[i] as Span, message, positions[i] ?? null, error);
    },
  };
}

const begin = (tracing: Tracing, { topic, headers }: Message): Span | null =>
  tracing.begin({ name: `append ${topic}`, kind: 'producer', parent: storedTrace(headers), isLinked: false });

function withTrace(message: Message, { context }: Span): Message {
  // A trace that is not recorded goes on as it came.
  if (message.headers[messageHeader.traceparent] === context.traceparent) return message;
  const headers = { ...message.headers };
  putTrace(headers, context);
  return { ...message, headers };
}

function endOne(span: Span, { topic, headers, body }: Message, position: Position | null, error: unknown): void {
  const facts = () => ({
    'messaging.system': 'bigpipe',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'append',
    'messaging.destination.name': topic,
    'messaging.message.id': headers[messageHeader.id] ?? '',
    'messaging.message.body.size': body.length,
    ...(position === null
      ? {}
      : { 'messaging.destination.partition.id': `${position.partition}`, 'bigpipe.offset': Number(position.offset) }),
  });
  span.end(facts, error === null ? null : textOf(error));
}
