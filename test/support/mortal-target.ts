// A receiver that dies in several ways and comes back on its port, and says at each arrival what must never be.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ReturningServer } from './returning-server.js';

/** `well`: answers 200; `fails`: answers 500; `silent`: takes requests and never answers; `gone`: refuses connections. */
export type Health = 'well' | 'fails' | 'silent' | 'gone';

interface Seen {
  arrivals: number;
  /** How often it was answered 200. */
  delivered: number;
  /** The program's life in which it was answered 200 last. */
  life: number;
  /** The highest attempt that has come in this life of the program, which counts anew in each. */
  highest: { readonly life: number; readonly attempt: number };
}

/** The lane of calls that have no key. */
export const noLane = 'free';

/** Takes calls whose ids are LANE-NUMBER, from 0 on in the order in which bigpipe answered them. */
export class MortalTarget {
  readonly faults: string[] = [];
  /** Ids that were answered 200. */
  delivered = 0;
  /** Answers 200 to what had been answered so before. */
  repeats = 0;
  /** Kills of the program so far, as the test says. */
  life = 0;
  /** Repeats that are said to come from a crash although there was none since the delivery. */
  withoutCrash = 0;
  /** Of each of them what the request said about why it may have come before. */
  readonly repeatCauses: string[] = [];
  /** Requests of any kind. */
  arrivals = 0;
  /** True for an id that a well receiver answers 400. */
  isRefused: (id: string) => boolean = () => false;
  /** True for a request that a well receiver answers 500. */
  isBad: () => boolean = () => false;
  /** True for an id of which nobody knows whether bigpipe took it. */
  mayBeMissing: (id: string) => boolean = () => false;
  private readonly seen = new Map<string, Seen>();
  /** Of each lane: the number behind the highest that was answered 200. */
  private readonly lanes = new Map<string, number>();
  private isWhat: Health = 'well';
  private readonly server = new ReturningServer((request, response) => {
    request.resume();
    request.once('end', () => this.received(request, response));
  });

  static async start(health: Health = 'well'): Promise<MortalTarget> {
    const target = new MortalTarget();
    await target.server.open();
    await target.become(health);
    return target;
  }

  /** The same also while it is gone. */
  get url(): string {
    return this.server.url;
  }

  get health(): Health {
    return this.isWhat;
  }

  async become(health: Health): Promise<void> {
    this.isWhat = health;
    if (health === 'gone') await this.server.close();
    else await this.server.open();
  }

  wasDelivered(id: string): boolean {
    return (this.seen.get(id)?.delivered ?? 0) > 0;
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  private received({ headers }: IncomingMessage, response: ServerResponse): void {
    const id = String(headers['bigpipe-message-id']);
    const seen = this.seen.get(id) ?? { arrivals: 0, delivered: 0, life: 0, highest: { life: -1, attempt: 0 } };
    this.seen.set(id, seen);
    seen.arrivals += 1;
    this.arrivals += 1;
    if (seen.arrivals === 1) this.checkOrder(id);
    else if (headers['bigpipe-redelivery'] === undefined && !this.isOvertaken(seen, headers)) {
      this.faults.push(`${id} came for the ${seen.arrivals}th time without a word that it may be a repeat`);
    }
    seen.highest = this.highestOf(seen, headers);
    if (this.isWhat === 'silent' || this.isWhat === 'gone') return;
    if (this.isWhat === 'fails' || this.isBad()) {
      response.writeHead(500).end();
      return;
    }
    if (this.isRefused(id)) {
      response.writeHead(400).end();
      return;
    }
    if (seen.delivered === 0) this.deliveredFirst(id);
    else {
      this.repeats += 1;
      this.repeatCauses.push(String(headers['bigpipe-redelivery']));
    }
    if (seen.delivered > 0 && seen.life === this.life && headers['bigpipe-redelivery'] === 'crash')
      this.withoutCrash += 1;
    seen.life = this.life;
    seen.delivered += 1;
    response.end();
  }

  /** Given up before it was taken here: on a machine that stood still its retry, on another connection, has come before it. */
  private isOvertaken({ highest }: Seen, headers: IncomingMessage['headers']): boolean {
    return highest.life === this.life && Number(headers['bigpipe-attempt']) < highest.attempt;
  }

  private highestOf({ highest }: Seen, headers: IncomingMessage['headers']): Seen['highest'] {
    const attempt = Number(headers['bigpipe-attempt']);
    const before = highest.life === this.life ? highest.attempt : 0;
    return { life: this.life, attempt: Math.max(before, attempt) };
  }

  /** All before it in its lane have been answered 200, and none behind it has come. */
  private checkOrder(id: string): void {
    const { lane, number } = placeOf(id);
    if (lane === noLane) return;
    const next = this.lanes.get(lane) ?? 0;
    if (number < next) this.faults.push(`${id} came after ${lane}-${next - 1}`);
    for (let before = next; before < number; before += 1) {
      if (!this.mayBeMissing(`${lane}-${before}`))
        this.faults.push(`${id} came before ${lane}-${before} was delivered`);
    }
  }

  private deliveredFirst(id: string): void {
    const { lane, number } = placeOf(id);
    this.delivered += 1;
    this.lanes.set(lane, Math.max(this.lanes.get(lane) ?? 0, number + 1));
  }
}

function placeOf(id: string): { readonly lane: string; readonly number: number } {
  const at = id.lastIndexOf('-');
  return { lane: id.slice(0, at), number: Number(id.slice(at + 1)) };
}
