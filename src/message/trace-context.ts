// The trace that a message belongs to, as W3C Trace Context writes it in headers; pure.
import { type MessageHeaders, messageHeader } from './message.js';

export interface TraceContext {
  /** version-trace-parent-flags, in lower case. */
  readonly traceparent: string;
  /** What vendors add; null for nothing. */
  readonly tracestate: string | null;
}

/** Other versions than ff may come; a trace or a parent of zeros is none. */
const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Visible ASCII and spaces; a longer one may be dropped, says the recommendation. */
const statePattern = /^[\x21-\x7e]([\x20-\x7e]{0,510}[\x21-\x7e])?$/;

/** From the values of the two headers; null for what is no context. What is wrong with the state costs the state only. */
export function traceContextOf(traceparent: unknown, tracestate: unknown): TraceContext | null {
  if (typeof traceparent !== 'string' || !pattern.test(traceparent)) return null;
  const hasState = typeof tracestate === 'string' && statePattern.test(tracestate);
  return { traceparent, tracestate: hasState ? tracestate : null };
}

/** Of a stored message: as our doors write it, or as others who write to Kafka do. */
export function storedTrace(headers: MessageHeaders): TraceContext | null {
  const parent = headers[messageHeader.traceparent];
  return parent === undefined
    ? traceContextOf(headers[plainTraceparent], headers[plainTracestate])
    : traceContextOf(parent, headers[messageHeader.tracestate]);
}

/** Writes it where the doors and every format keep it. */
export function putTrace(headers: Record<string, string>, { traceparent, tracestate }: TraceContext): void {
  headers[messageHeader.traceparent] = traceparent;
  if (tracestate === null) delete headers[messageHeader.tracestate];
  else headers[messageHeader.tracestate] = tracestate;
}

/** Names of the two headers on the wire. */
export const plainTraceparent = 'traceparent';
export const plainTracestate = 'tracestate';

/** The id that all spans of the trace share. */
export const traceIdOf = ({ traceparent }: TraceContext): string => traceparent.slice(3, 35);
