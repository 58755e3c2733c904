// The trace that a call belongs to goes on at the receiver.
import type { IncomingHttpHeaders } from 'node:http';
import { messageHeader } from '../message/message.js';
import { putTrace, traceContextOf } from '../message/trace-context.js';

/** From the request to its message, unless that asks for another one. What is no trace is left out: it is nobody's fault. */
export function passTrace({ traceparent, tracestate }: IncomingHttpHeaders, into: Record<string, string>): void {
  if (traceparent === undefined || into[messageHeader.traceparent] !== undefined) return;
  const trace = traceContextOf(traceparent, tracestate);
  if (trace !== null) putTrace(into, trace);
}
