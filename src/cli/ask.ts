// Asks a bigpipe that runs, over HTTP.

import { pause } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { CommandError, type CommandOptions, type Given, type Surroundings } from './command.js';

export const managementUrl = 'http://127.0.0.1:10087';

/** Of every command that asks the management listener. */
export const managementOptions = {
  against: { value: 'URL', about: `the management listener to ask; ${managementUrl} unless told otherwise` },
} as const satisfies CommandOptions;

const answerMs = 10_000;
/** So often it is asked again when the listener says that it was asked too often. */
const patience = 20;
const longestRetryS = 10;

export interface Question {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  readonly withinMs?: number;
}

/** The management listener that the command line names. */
export class Management {
  readonly url: string;

  constructor(
    { texts }: Given,
    private readonly around: Surroundings,
  ) {
    this.url = texts['against'] ?? managementUrl;
  }

  /** The JSON that it answers. Rejects with what it was asked, and why there is no answer or which one. */
  async ask(question: Question): Promise<unknown> {
    const url = urlOf('--against', question.path, this.url);
    for (const [name, value] of Object.entries(question.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    for (let left = patience; ; left -= 1) {
      const answer = await this.askOnce(url, question);
      if (answer !== null) return answer.json;
      if (left === 0 || this.around.stop.aborted) throw new Error(`${url.href} says that it is asked too often`);
    }
  }

  /** Null after a pause that the listener asked for. */
  private async askOnce(url: URL, { method = 'GET', body, withinMs = answerMs }: Question) {
    const { environment, clock, stop } = this.around;
    const token = environment.BIGPIPE_MANAGEMENT_TOKEN;
    const init: RequestInit = {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    };
    const answer = await exchange(url, init, withinMs, this.around);
    if (answer.status === 429) {
      const seconds = Number(answer.headers.get('retry-after') ?? 1);
      await pause(clock, 1000 * Math.min(longestRetryS, Number.isNaN(seconds) ? 1 : seconds), stop);
      return null;
    }
    if (!answer.ok) throw new Error(`${url.href} answered ${answer.status}: ${messageOf(answer.text)}`);
    try {
      return { json: JSON.parse(answer.text) as unknown };
    } catch {
      throw new Error(`${url.href} is no bigpipe: it answered ${JSON.stringify(answer.text.slice(0, 200))}`);
    }
  }
}

export interface Exchanged {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Rejects with who was asked, and why no answer came. */
export async function exchange(
  url: URL,
  init: RequestInit,
  withinMs: number,
  { clock, stop }: Surroundings,
): Promise<Exchanged> {
  const late = new AbortController();
  const timer = clock.setTimer(withinMs, () => late.abort(new Error(`no answer within ${withinMs} ms`)));
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.any([late.signal, stop]), redirect: 'error' });
    return { ok: answer.ok, status: answer.status, headers: answer.headers, text: await answer.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    throw new Error(`${url.href} could not be asked: ${textOf(error)}${cause}`, { cause: error });
  } finally {
    timer.cancel();
  }
}

export function urlOf(option: string, path: string, base: string): URL {
  const url = URL.parse(path, base);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandError(`${option}: found ${JSON.stringify(base)}, allowed: a URL like "${managementUrl}"`);
  return url;
}

/** What a refusal says, without its wrapping. */
function messageOf(text: string): string {
  try {
    const { message, detail } = JSON.parse(text) as { message?: unknown; detail?: unknown };
    const told = [message, detail].find((one) => typeof one === 'string');
    return (told ?? text).slice(0, 500);
  } catch {
    return text.slice(0, 500);
  }
}

/** A path of these parts, whatever is in them. */
export const pathOf = (...parts: readonly string[]) => `/${parts.map(encodeURIComponent).join('/')}`;
