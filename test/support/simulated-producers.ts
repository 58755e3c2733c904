// Producers with databases of their own, who die between any two steps of a transaction; and what they answer when asked.
import type { BigpipeProcess } from './bigpipe-process.js';
import { goodCaller } from './messages-door.js';
import { rawRequest } from './raw-request.js';
import type { Script } from './target-server.js';

/** Between which steps a producer dies; `never`: it does not. */
const deaths = ['begun', 'stored', 'rolled back', 'never', 'never'] as const;

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
  /** Of orders that never became a transaction that the producer knows. */
  unknown = 0;

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

  /** To its end, or to its producer's. */
  async run(order: Order): Promise<void> {
    const { number, key, wants, dies } = order;
    const message = (part: number) => ({ url: `${this.url}/in`, key, data: `${number} ${part}` });
    const form = { messages: [message(1), message(2)], checkUrl: `${this.url}/check` };
    const answer = await this.post('', JSON.stringify(form));
    if (answer === null || answer.status !== 201) {
      this.unknown += 1;
      return;
    }
    const { id } = JSON.parse(answer.text) as { id: string };
    if (dies === 'begun') return;
    // The local transaction: it fails where a check was faster.
    if (!this.database.has(id)) this.database.set(id, { state: wants, order });
    if (dies === 'stored' || dies === 'rolled back') return;
    const state = this.database.get(id)?.state as 'commit' | 'rollback';
    const end = await this.post(`/${id}/${state}`, '');
    if (end?.status === 200 && state === 'commit') this.answered.set(key, [...(this.answered.get(key) ?? []), number]);
  }

  /** Null when nothing came back. */
  private async post(path: string, body: string) {
    try {
      return await rawRequest(`${this.bigpipe().origin}/v1/transactions${path}`, {
        headers: { authorization: goodCaller, 'content-type': 'application/json' },
        body: [Buffer.from(body)],
      });
    } catch {
      return null;
    }
  }
}
