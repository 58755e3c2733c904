// The transactions' doors as a producer uses them, and a producer that can be asked.
import type { BigpipeProcess, Config } from './bigpipe-process.js';
import { goodCaller } from './messages-door.js';
import { type RawAnswer, rawRequest } from './raw-request.js';
import type { Arrival, TargetServer } from './target-server.js';
import { until } from './until.js';

export interface TransactionBody {
  readonly id: string;
  readonly state: string;
  readonly checks?: number;
  readonly decidedBy?: string;
  readonly nextCheckAt?: string;
  readonly ageSeconds: number;
  readonly messages: readonly { readonly id: string; readonly key?: string }[];
}

/** Transactions are on, and asked about soon and often. */
export const transactionConfig = (changes: Config = {}): Config => ({
  'transaction.enabled': true,
  'transaction.first.check': 600_000,
  'transaction.check.interval': 50,
  'transaction.check.interval.max': 100,
  ...changes,
});

const at = (bigpipe: BigpipeProcess, path: string) => `${bigpipe.origin}/v1/transactions${path}`;

export function begin(
  bigpipe: BigpipeProcess,
  form: unknown,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  return rawRequest(at(bigpipe, ''), {
    headers: { authorization: goodCaller, 'content-type': 'application/json', ...headers },
    body: [Buffer.from(typeof form === 'string' ? form : JSON.stringify(form))],
  });
}

/** Begun, with its id. */
export async function begun(bigpipe: BigpipeProcess, form: unknown): Promise<string> {
  const answer = await begin(bigpipe, form);
  if (answer.status !== 201) throw new Error(`not begun: ${answer.status} ${answer.text}`);
  return (JSON.parse(answer.text) as { id: string }).id;
}

export const decide = (
  bigpipe: BigpipeProcess,
  id: string,
  verb: 'commit' | 'rollback',
  headers: Record<string, string> = {},
): Promise<RawAnswer> =>
  rawRequest(at(bigpipe, `/${id}/${verb}`), {
    method: 'POST',
    headers: { authorization: goodCaller, ...headers },
    body: [],
  });

export const look = (bigpipe: BigpipeProcess, id: string, authorization = goodCaller): Promise<RawAnswer> =>
  rawRequest(at(bigpipe, `/${id}`), { method: 'GET', headers: { authorization } });

export async function transactionOf(bigpipe: BigpipeProcess, id: string): Promise<TransactionBody> {
  return JSON.parse((await look(bigpipe, id)).text) as TransactionBody;
}

export const untilState = (
  bigpipe: BigpipeProcess,
  id: string,
  state: string,
  boundMs?: number,
): Promise<TransactionBody> =>
  until(
    `${id} is ${state}`,
    async () => {
      const told = await transactionOf(bigpipe, id);
      return told.state === state ? told : null;
    },
    boundMs,
  );

export const bodiesAt = (target: TargetServer, path: string): string[] =>
  target.arrivals.filter((arrival) => arrival.path === path).map(({ body }) => body.toString());

export const checksAt = (target: TargetServer, path = '/check'): Arrival[] =>
  target.arrivals.filter((arrival) => arrival.path === path);
