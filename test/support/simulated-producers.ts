// Producers with databases of their own, who die between any two steps of a transaction; and what they answer when asked.
import { request } from 'node:http';
import type { BigpipeProcess } from './bigpipe-process.js';
import { goodCaller } from './messages-door.js';
import { rawRequest } from './raw-request.js';
import type { Script } from './target-server.js';
import { until } from './until.js';

/** After which step a producer dies; `never`: it does not. Asked and told: without having read the answer. */
const deaths = ['asked', 'begun', 'stored', 'told', 'never', 'never'] as const;
/** A bus that is down is up again by then. */
const boundMs = 120_000;

interface Order {
  readonly number: number;
  readonly key: string;
  /** What the producer means to do. */
  readonly wants: 'commit' | 'rollback';
  readonly dies: (typeof deaths)[number];
}

export class SimulatedProducers {
  /** Of each transaction's id; whoever writes it first decides, as in a table with a primary key. */
  readonly database = new Map<string, { readonly state: 'commit' | 'rollback'; readonly order: Order | null }>();
  /** Orders whose commit was answered, by key, in this order. */
  readonly answered = new Map<string, number[]>();
  /** What the bus said although the database says otherwise. */
  readonly contradictions: string[] = [];

  constructor(
    private readonly bigpipe: () => BigpipeProcess,
    private readonly url: string,
    private readonly random: () => number,
  ) {}

  /** A check that finds nothing rolls back, for good. */
  readonly check: Script = ({ body }, response) => {
    const { id } = JSON.parse(body.toString()) as { id: string };
    if (!this.database.has(id)) this.database.set(id, { state: 'rollback', order: null });
    // Some do not answer this time.
    if (this.random() < 0.2) response.writeHead(500).end();
    else response.end(JSON.stringify({ state: this.database.get(id)?.state }));
  };

  orderOf(number: number, key: string): Order {
    const pick = <T>(of: readonly T[]) => of[Math.floor(this.random() * of.length)] as T;
    return { number, key, wants: pick(['commit', 'commit', 'rollback'] as const), dies: pick(deaths) };
  }

  /** To its end, or to its producer's. One who lives asks until he is answered. */
  async run(order: Order): Promise<void> {
    const { number, key, wants, dies } = order;
    const message = (part: number) => ({ url: `${this.url}/in`, key, data: `${number} ${part}` });
    const form = JSON.stringify({ messages: [message(1), message(2)], checkUrl: `${this.url}/check` });
    if (dies === 'asked') return this.askAndDie('', form);
    const { id } = JSON.parse(await this.ask('', form, 201)) as { id: string };
    if (dies === 'begun') return;
    // The local transaction: it fails where a check was faster.
    if (!this.database.has(id)) this.database.set(id, { state: wants, order });
    if (dies === 'stored') return;
    const state = this.database.get(id)?.state as 'commit' | 'rollback';
    if (dies === 'told') return this.askAndDie(`/${id}/${state}`, '');
    await this.ask(`/${id}/${state}`, '', 200);
    if (state === 'commit') this.answered.set(key, [...(this.answered.get(key) ?? []), number]);
  }

  /** Resolves to the answer's body, once it is that status. */
  private ask(path: string, body: string, status: number): Promise<string> {
    return until(
      `${path} is answered`,
      async () => {
        const answer = await this.post(path, body);
        if (answer?.status === 409) this.contradictions.push(`${path}: ${answer.text}`);
        return answer?.status === status || answer?.status === 409 ? answer.text : null;
      },
      boundMs,
    );
  }

  /** Null when nothing came back. */
  private async post(path: string, body: string) {
    try {
      return await rawRequest(this.address(path), { headers, body: [Buffer.from(body)] });
    } catch {
      return null;
    }
  }

  /** It is on its way; nobody is there to read what comes back. */
  private askAndDie(path: string, body: string): Promise<void> {
    return new Promise((resolve) => {
      const outgoing = request(this.address(path), { method: 'POST', headers, agent: false });
      outgoing.on('error', () => undefined);
      outgoing.on('close', () => resolve());
      outgoing.end(body, () => outgoing.destroy());
    });
  }

  private address(path: string): string {
    return `${this.bigpipe().origin}/v1/transactions${path}`;
  }
}

const headers = { authorization: goodCaller, 'content-type': 'application/json' };
