// What bigpipe says about deliveries that wait: GET /explain, and subscriptionStats in GET /stats; the shapes written anew.
import type { BigpipeProcess, RpcAnswer } from './bigpipe-process.js';
import { until } from './until.js';

export interface ExplainedWait {
  readonly reason: string;
  readonly detail: string;
  readonly until: string | null;
}

export interface Explained {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly state: string;
  readonly id?: string;
  readonly destination?: string;
  readonly attempt?: number;
  readonly maxAttempts?: number;
  readonly since?: string;
  readonly waitingFor: readonly ExplainedWait[];
  readonly estimate: string | null;
}

export interface DestinationState {
  readonly state: string;
  readonly reason: string;
  readonly since: string;
  readonly nextChange: string | null;
}

export interface DestinationStats {
  readonly destination: string;
  readonly inFlight: number;
  readonly ready: number;
  readonly states: readonly DestinationState[];
}

export interface SubscriptionStats {
  readonly topic: string;
  readonly groupId: string;
  readonly backlog: Readonly<Record<string, number>>;
  readonly destinations: readonly DestinationStats[];
}

/** GET /explain on the management listener, with these parameters; asked again when bigpipe says that it was asked too often. */
export function getExplain(bigpipe: BigpipeProcess, query: Record<string, string>): Promise<Response> {
  return until('explain answers', async () => {
    const response = await fetch(`${bigpipe.management}/explain?${new URLSearchParams(query).toString()}`);
    return response.status === 429 ? null : response;
  });
}

/** What is said about one message that only one subscription has. */
export async function explain(bigpipe: BigpipeProcess, query: Record<string, string>): Promise<Explained> {
  const response = await getExplain(bigpipe, query);
  const text = await response.text();
  const { deliveries = [] } = JSON.parse(text) as { deliveries?: Explained[] };
  if (response.status !== 200 || deliveries.length !== 1)
    throw new Error(`explain answered ${response.status} ${text}`);
  return deliveries[0] as Explained;
}

export async function subscriptionStats(bigpipe: BigpipeProcess, topic = 'test'): Promise<SubscriptionStats> {
  const stats = (await bigpipe.stats()) as unknown as { subscriptionStats: SubscriptionStats[] };
  return stats.subscriptionStats.find((row) => row.topic === topic) as SubscriptionStats;
}

/** The counts that are not 0. */
export function waitingCounts({ backlog }: SubscriptionStats): Record<string, number> {
  return Object.fromEntries(Object.entries(backlog).filter(([, count]) => count !== 0));
}

/** Resolves once the counts that are not 0 are exactly these. */
export async function untilBacklog(
  bigpipe: BigpipeProcess,
  expected: Readonly<Record<string, number>>,
  topic = 'test',
): Promise<void> {
  const text = JSON.stringify(sorted(expected));
  let last = '';
  try {
    await until('the backlog is as expected', async () => {
      last = JSON.stringify(sorted(waitingCounts(await subscriptionStats(bigpipe, topic))));
      return last === text;
    });
  } catch (error) {
    throw new Error(`expected the backlog ${text}, found ${last}`, { cause: error });
  }
}

const sorted = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The row of a destination that is not simply well; undefined while it is. */
export async function troubleOf(
  bigpipe: BigpipeProcess,
  url: string,
  topic = 'test',
): Promise<DestinationStats | undefined> {
  const { origin } = new URL(url);
  const { destinations } = await subscriptionStats(bigpipe, topic);
  return destinations.find(({ destination }) => destination === origin);
}

/** Its first state. */
export async function stateOf(
  bigpipe: BigpipeProcess,
  url: string,
  topic = 'test',
): Promise<DestinationState | undefined> {
  return (await troubleOf(bigpipe, url, topic))?.states[0];
}

/** Fails with what the answer says unless the call was stored. */
export async function accepted(answer: Promise<RpcAnswer>): Promise<RpcAnswer> {
  const { body } = await answer;
  if (body.errno !== 0) throw new Error(`refused: ${JSON.stringify(body)}`);
  return answer;
}

/** Two times that were worked out from two clocks, each of which rounds. */
export function isSameMoment(a: string | null | undefined, b: string | null | undefined): boolean {
  return Math.abs(Date.parse(a ?? '') - Date.parse(b ?? '')) <= 5;
}
