// bigpipe config check: is a configuration valid, and what would it change in a bigpipe that runs?
import { readConfig } from '../config-watch/config-files.js';
import { ConfigSource } from '../config-watch/config-source.js';
import { loadEnvironment } from '../config-watch/env.js';
import { SettingsError } from '../config-watch/settings.js';
import type { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';

/** Answered at once by whoever answers at all. */
const answerMs = 10_000;

interface Checked {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly changes: readonly string[];
}

/**
 * The lines to print. `against`: the management listener of a bigpipe, which is asked with the references unresolved,
 * since their secrets are where it runs; null: looked at with this process's environment. Rejects with SettingsError
 * for a configuration that would be refused, with another error when nobody answered.
 */
export async function checkConfig(path: string, against: string | null, clock: Clock): Promise<string[]> {
  if (against === null) return checkHere(path);
  const { faults, warnings, changes } = await ask(against, JSON.stringify(readConfig(path).raw), clock);
  if (faults.length > 0) throw new SettingsError(path, faults);
  const lines = changes.length === 0 ? ['changes nothing'] : changes;
  return [...lines, ...warnings.map((line) => `warning: ${line}`)];
}

async function checkHere(path: string): Promise<string[]> {
  const { environment, variables } = await loadEnvironment();
  const { settings, warnings } = new ConfigSource(path, environment, variables).load();
  const { topics, subscriptions, acl, broker } = settings;
  const counts = `topics ${topics.length}, consumers ${subscriptions.length}, names ${acl.length}, broker ${broker.driver}`;
  return [`valid: ${counts}`, ...warnings.map((line) => `warning: ${line}`)];
}

async function ask(against: string, text: string, clock: Clock): Promise<Checked> {
  const url = URL.parse('/config/check', against);
  if (url === null)
    throw new Error(`--against: found ${JSON.stringify(against)}, allowed: a URL like "http://127.0.0.1:10087"`);
  const late = new AbortController();
  const timer = clock.setTimer(answerMs, () => late.abort(new Error(`no answer within ${answerMs} ms`)));
  try {
    const headers = { 'content-type': 'text/plain' };
    const answer = await fetch(url, { method: 'POST', headers, body: text, signal: late.signal, redirect: 'error' });
    const body = await answer.text();
    const checked = answer.ok ? (JSON.parse(body) as Partial<Checked>) : null;
    if (checked?.faults === undefined) throw new Error(`it answered ${answer.status}: ${body.slice(0, 200)}`);
    return { faults: checked.faults, warnings: checked.warnings ?? [], changes: checked.changes ?? [] };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
    throw new Error(`${url.href} could not be asked: ${textOf(error)}${cause}`, { cause: error });
  } finally {
    timer.cancel();
  }
}
