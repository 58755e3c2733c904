// Questions and answers between the main process and a worker, over the channel that Node keeps for a child process.

import type { LogFacts } from '../broker/remote.module.js';
import type { ReloadEnd } from '../config-watch/config-watch.js';
import type { Settings } from '../config-watch/settings.js';
import type { Clock } from '../message/clock.js';
import { type BigpipeError, type ErrorCode, textOf } from '../message/errors.js';
import type { Accepted, Offer } from '../producer/producer.js';

export type Sections = Readonly<Record<string, object>>;

/** What a worker begins with. */
export interface StartOrder {
  /** 1 to the number of workers. */
  readonly worker: number;
  readonly settings: Settings;
  /** The port as it is, also where the settings ask for a free one. */
  readonly port: number;
  readonly facts: LogFacts;
}

/** A request that a worker does not answer itself. */
export interface HandedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Uint8Array | null;
  readonly remoteAddress: string;
}

export interface HandedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Uint8Array;
}

/** An error as it travels. */
export interface KeyedRefusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export const refusalOf = ({ code, message }: BigpipeError): KeyedRefusal => ({ code, message });

/** Who asks what, and what is answered. */
export interface Questions {
  /** The main process asks; answered once the listener is open. */
  start: { request: StartOrder; answer: null };
  settings: { request: Settings; answer: ReloadEnd };
  counters: { request: null; answer: Sections };
  /** Answered once the doors are closed and whoever was being answered has been. */
  drain: { request: null; answer: Sections };
  /** Another worker has taken a place: it shall get its share of the connections. */
  letGo: { request: null; answer: null };
  /** The worker asks. */
  handed: { request: HandedRequest; answer: HandedAnswer };
  /** The same for calls that bear an idempotency key, which is known there. */
  keyed: { request: readonly Offer[]; answer: readonly (Accepted | KeyedRefusal)[] };
  /** The worker tells: its counters, so that few are lost with it. */
  counted: { request: Sections; answer: null };
}

export type Answerers = {
  readonly [K in keyof Questions]?: (request: Questions[K]['request']) => Promise<Questions[K]['answer']>;
};

/** The part of a process or child process that is used here. */
export interface Port {
  send?(message: unknown, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

interface Envelope {
  readonly id: number;
  readonly ask?: keyof Questions;
  readonly value?: unknown;
  readonly error?: string;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

export class ControlChannel {
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private isClosed = false;

  constructor(
    private readonly port: Port,
    private readonly clock: Clock,
    private readonly answerers: Answerers,
  ) {
    port.on('message', (message) => this.receive(message as Envelope));
  }

  /** Rejects when the other end fails, is gone, or has not answered within `boundMs`. */
  ask<K extends keyof Questions>(
    ask: K,
    value: Questions[K]['request'],
    boundMs: number,
  ): Promise<Questions[K]['answer']> {
    if (this.isClosed) return Promise.reject(new Error('the other process is gone'));
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimer(boundMs, () => failed(new Error(`no answer within ${boundMs} ms`)));
      const settled = () => {
        timer.cancel();
        this.waiting.delete(id);
      };
      const failed = (error: Error) => {
        settled();
        reject(error);
      };
      this.waiting.set(id, {
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: failed,
      });
      this.send({ id, ask, value });
    });
  }

  /** The other process is gone: whoever waits for it is told. */
  close(): void {
    this.isClosed = true;
    for (const { reject } of this.waiting.values()) reject(new Error('the other process is gone'));
  }

  private receive({ id, ask, value, error }: Envelope): void {
    if (ask !== undefined) {
      void this.answer(id, ask, value);
      return;
    }
    const waiting = this.waiting.get(id);
    if (error === undefined) waiting?.resolve(value as never);
    else waiting?.reject(new Error(error));
  }

  private async answer(id: number, ask: keyof Questions, request: unknown): Promise<void> {
    try {
      const answerer = this.answerers[ask];
      if (answerer === undefined) throw new Error(`nobody answers '${ask}' here`);
      this.send({ id, value: await answerer(request as never) });
    } catch (error) {
      this.send({ id, error: textOf(error) });
    }
  }

  private send(envelope: Envelope): void {
    // Who is gone needs no answer; whoever waits for one is told by close().
    if (!this.isClosed) this.port.send?.(envelope, () => undefined);
  }
}
