// The /v1 doors as a caller uses them.
import type { BigpipeProcess } from './bigpipe-process.js';
import { basic } from './credentials.js';
import { type RawAnswer, rawRequest } from './raw-request.js';
import type { Arrival, TargetServer } from './target-server.js';
import { until } from './until.js';

export const goodCaller = basic('system-1', 'i am good');

export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly detail: string; readonly pointer?: string; readonly header?: string }[];
}

export interface StateBody {
  readonly id: string;
  readonly topic?: string;
  readonly notBefore?: string;
  readonly expires?: string;
  readonly cancelled: boolean;
  readonly deliveries: readonly {
    readonly subscription: string;
    readonly state: string;
    readonly attempt?: number;
    readonly waitingFor?: readonly { readonly reason: string; readonly until: string | null }[];
    readonly deadLetter?: { readonly reason: string; readonly status: number; readonly attempts: number };
  }[];
}

export const jsonForm = 'application/vnd.bigpipe+json';

/** POST /v1/messages with headers and a raw body. */
export function send(
  bigpipe: BigpipeProcess,
  headers: Record<string, string>,
  body: string | Uint8Array = 'hello',
): Promise<RawAnswer> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return rawRequest(`${bigpipe.origin}/v1/messages`, {
    headers: { authorization: goodCaller, ...headers },
    body: [bytes],
  });
}

export const sendJson = (bigpipe: BigpipeProcess, fields: unknown, headers: Record<string, string> = {}) =>
  send(bigpipe, { 'content-type': jsonForm, ...headers }, JSON.stringify(fields));

export async function sendLines(
  bigpipe: BigpipeProcess,
  lines: readonly (object | string)[],
): Promise<
  RawAnswer & { readonly lines: readonly (ProblemBody & { id: string; location: string; replayed?: true })[] }
> {
  const text = lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');
  const headers = { authorization: goodCaller, 'content-type': 'application/x-ndjson' };
  const answer = await rawRequest(`${bigpipe.origin}/v1/messages:batch`, { headers, body: [Buffer.from(text)] });
  const answered = answer.status === 200 ? answer.text.trimEnd().split('\n') : [];
  return { ...answer, lines: answered.map((line) => JSON.parse(line)) };
}

export const ask = (bigpipe: BigpipeProcess, id: string, method = 'GET', authorization = goodCaller) =>
  rawRequest(`${bigpipe.origin}/v1/messages/${id}`, { method, headers: { authorization } });

export async function stateOf(bigpipe: BigpipeProcess, id: string): Promise<StateBody> {
  return JSON.parse((await ask(bigpipe, id)).text) as StateBody;
}

export const problemOf = ({ text }: RawAnswer) => JSON.parse(text) as ProblemBody;

export const idOf = ({ headers }: RawAnswer) => headers['bigpipe-message-id'] as string;

export const arrivalOf = (target: TargetServer, answer: RawAnswer): Promise<Arrival> =>
  until('the message arrives', () =>
    target.arrivals.find(({ headers }) => headers['bigpipe-message-id'] === idOf(answer)),
  );
