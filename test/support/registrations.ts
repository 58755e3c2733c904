// /subscriptions/GROUP on the management port, as whoever registers uses it.
import type { BigpipeProcess } from './bigpipe-process.js';
import { until } from './until.js';

export interface ManagementAnswer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: Record<string, unknown>;
}

/** Asks again while it is told to come back later by the limit of pages. */
export async function manage(
  bigpipe: BigpipeProcess,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ManagementAnswer> {
  const init: RequestInit = {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
  };
  if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body);
  return until('it may be asked', async () => {
    const response = await fetch(`${bigpipe.management}/subscriptions/${path}`, init);
    const text = await response.text();
    if (response.status === 429 && response.headers.has('retry-after')) return null;
    const read = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    return { status: response.status, etag: response.headers.get('etag'), body: read };
  });
}
