// bigpipe config check: is a configuration valid, and what would it change in a bigpipe that runs?
import { readConfig } from '../config-watch/config-files.js';
import { ConfigSource } from '../config-watch/config-source.js';
import { loadEnvironment } from '../config-watch/env.js';
import { SettingsError } from '../config-watch/settings.js';
import type { Clock } from '../message/clock.js';
import { ask } from './ask.js';
import { managementAccess } from './management-access.js';

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
  const body = JSON.stringify(readConfig(path).raw);
  const { token } = await managementAccess();
  const question = { token, against, path: '/config/check', contentType: 'text/plain', body, withinMs: answerMs };
  const answer = await ask(question, clock);
  if (!isChecked(answer))
    throw new Error(`${against} is no bigpipe: it answered ${JSON.stringify(answer).slice(0, 200)}`);
  const { faults, warnings = [], changes = [] } = answer;
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

function isChecked(answer: unknown): answer is Partial<Checked> & Pick<Checked, 'faults'> {
  return typeof answer === 'object' && answer !== null && Array.isArray((answer as Partial<Checked>).faults);
}
