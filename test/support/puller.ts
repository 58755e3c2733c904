// Fetches a group's messages as a program of somebody else's would.
import { basic } from './credentials.js';

export interface Pulled {
  readonly lease: string;
  readonly leaseUntil: string;
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly redelivery?: string;
  readonly type?: string;
  readonly key?: string;
  readonly key_base64?: string;
  readonly content_type?: string;
  readonly headers?: Record<string, string>;
  readonly data_base64: string;
}

export interface PullAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: {
    readonly messages?: readonly Pulled[];
    readonly done?: number;
    readonly failed?: readonly { readonly lease: string; readonly code: string; readonly detail: string }[];
    readonly code?: string;
    readonly detail?: string;
    readonly errors?: readonly { readonly detail: string; readonly pointer?: string }[];
  };
}

export const textOf = ({ data_base64: data }: Pulled) => Buffer.from(data, 'base64').toString();

export class Puller {
  constructor(
    private readonly origin: string,
    private readonly group = 'G1',
    private readonly who: readonly [name: string, secret: string] = ['system-1', 'i am good'],
  ) {}

  get headers(): Record<string, string> {
    return { authorization: basic(...this.who), 'content-type': 'application/json' };
  }

  async post(verb: string, body: unknown, init: RequestInit = {}): Promise<PullAnswer> {
    const response = await fetch(`${this.origin}/v1/subscriptions/${this.group}/${verb}`, {
      method: 'POST',
      headers: this.headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
    const retryAfter = response.headers.get('retry-after');
    return { status: response.status, retryAfter, body: (await response.json()) as PullAnswer['body'] };
  }

  /** Fails for anything but 200. */
  async pull(order: { max?: number; waitSeconds?: number; leaseSeconds?: number } = {}): Promise<readonly Pulled[]> {
    const { status, body } = await this.post('pull', { waitSeconds: 20, ...order });
    if (status !== 200) throw new Error(`pull was answered ${status}: ${JSON.stringify(body)}`);
    return body.messages ?? [];
  }

  ack(...messages: readonly Pulled[]): Promise<PullAnswer> {
    return this.post('ack', { leases: messages.map(({ lease }) => lease) });
  }

  nack(messages: readonly Pulled[], more: object = {}): Promise<PullAnswer> {
    return this.post('nack', { leases: messages.map(({ lease }) => lease), ...more });
  }

  extend(messages: readonly Pulled[], leaseSeconds: number): Promise<PullAnswer> {
    return this.post('extend', { leases: messages.map(({ lease }) => lease), leaseSeconds });
  }
}
