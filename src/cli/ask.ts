// Asks the management listener of a bigpipe that runs.
import type { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';

export interface Question {
  /** Of the management listener. */
  readonly against: string;
  readonly path: string;
  readonly contentType: string;
  readonly body: string;
  readonly withinMs: number;
  /** Of the management listener; null: none. */
  readonly token: string | null;
}

/** The JSON that it answers. Rejects with what it was asked, and why there is no answer. */
export async function ask(
  { against, path, contentType, body, withinMs, token }: Question,
  clock: Clock,
): Promise<unknown> {
  const url = URL.parse(path, against);
  if (url === null)
    throw new Error(`--against: found ${JSON.stringify(against)}, allowed: a URL like "http://127.0.0.1:10087"`);
  const late = new AbortController();
  const timer = clock.setTimer(withinMs, () => late.abort(new Error(`no answer within ${withinMs} ms`)));
  try {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const headers = { 'content-type': contentType, ...authorization };
    const answer = await fetch(url, { method: 'POST', headers, body, signal: late.signal, redirect: 'error' });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`it answered ${answer.status}: ${text.slice(0, 500)}`);
    return JSON.parse(text);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    throw new Error(`${url.href} could not be asked: ${textOf(error)}${cause}`, { cause: error });
  } finally {
    timer.cancel();
  }
}
