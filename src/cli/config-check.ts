// bigpipe config check: is a configuration valid, and what would it change in a bigpipe that runs?
import { readConfig } from '../config-watch/config-files.js';
import { ConfigSource } from '../config-watch/config-source.js';
import { loadEnvironment } from '../config-watch/env.js';
import { SettingsError } from '../config-watch/settings.js';
import { Management } from './ask.js';
import { type Command, exitConfig } from './command.js';

interface Checked {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  /** What a bigpipe that runs would change; of a file alone, what is in it. */
  readonly lines: readonly string[];
}

export const configCheck: Command = {
  words: 'config check',
  places: ['FILE'],
  about: 'is a configuration (a file, or a directory of files) valid, and what would it change',
  options: {
    against: { value: 'URL', about: 'the management listener of the bigpipe that it would be the configuration of' },
  },
  async run(given, around) {
    const path = given.places['FILE'] as string;
    const isAsked = given.texts['against'] !== undefined;
    const { faults, warnings, lines } = await (isAsked
      ? checkThere(path, new Management(given, around))
      : checkHere(path));
    if (around.isJson) {
      const changes = isAsked ? { changes: lines } : {};
      around.print(JSON.stringify({ valid: faults.length === 0, faults, warnings, ...changes }));
      return faults.length === 0 ? 0 : exitConfig;
    }
    if (faults.length > 0) throw new SettingsError(path, faults);
    for (const line of lines.length === 0 ? ['changes nothing'] : lines) around.print(line);
    for (const line of warnings) around.print(`warning: ${line}`);
    return 0;
  },
};

/** The references are sent unresolved: their secrets are where it runs. */
async function checkThere(path: string, management: Management): Promise<Checked> {
  const body = JSON.stringify(readConfig(path).raw);
  const answer = await management.ask({ method: 'POST', path: '/config/check', body });
  if (!isAnswer(answer))
    throw new Error(`${management.url} is no bigpipe: it answered ${JSON.stringify(answer).slice(0, 200)}`);
  const { faults, warnings = [], changes = [] } = answer;
  return { faults, warnings, lines: changes };
}

/** With this process's environment. */
async function checkHere(path: string): Promise<Checked> {
  const { environment, variables } = await loadEnvironment();
  try {
    const { settings, warnings } = new ConfigSource(path, environment, variables).load();
    const { topics, subscriptions, acl, broker } = settings;
    const counts = `topics ${topics.length}, consumers ${subscriptions.length}, names ${acl.length}, broker ${broker.driver}`;
    return { faults: [], warnings, lines: [`valid: ${counts}`] };
  } catch (error) {
    if (error instanceof SettingsError) return { faults: error.faults, warnings: [], lines: [] };
    throw error;
  }
}

interface Answer {
  readonly faults: readonly string[];
  readonly warnings?: readonly string[];
  readonly changes?: readonly string[];
}

function isAnswer(answer: unknown): answer is Answer {
  return typeof answer === 'object' && answer !== null && Array.isArray((answer as Partial<Answer>).faults);
}
