// A bigpipe whose configuration the test changes: writing it, and what it says of it.
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BigpipeProcess, Config } from './bigpipe-process.ts';
import { until } from './until.ts';

/** GET /config. */
export interface ConfigPage {
  readonly file: string;
  readonly version: number;
  readonly loadedAt: string;
  readonly lastError: { readonly since: string; readonly faults: readonly string[] } | null;
  readonly pendingRestart: readonly string[];
  readonly settings: Record<string, unknown>;
}

/** Of /stats. */
export interface ConfigCounters {
  readonly version: number;
  readonly reloads: number;
  readonly changed: number;
  readonly refused: number;
  readonly adjustFailed: number;
  readonly inError: number;
}

export const fileOf = (bigpipe: BigpipeProcess): string => join(bigpipe.directory, 'bigpipe.json');

/** As editors and configuration tools do: a new file takes the old one's place. */
export async function replaceConfig(bigpipe: BigpipeProcess, config: Config | string): Promise<void> {
  const next = join(bigpipe.directory, 'next.json');
  await writeFile(next, textOf(bigpipe, config));
  await rename(next, fileOf(bigpipe));
}

/** As it stands in the file. */
export function textOf(bigpipe: BigpipeProcess, config: Config | string): string {
  if (typeof config === 'string') return config;
  return JSON.stringify({ 'broker.embedded.directory': join(bigpipe.directory, 'data'), ...config });
}

export async function configPage(bigpipe: BigpipeProcess): Promise<ConfigPage> {
  return (await (await fetch(`${bigpipe.management}/config`)).json()) as ConfigPage;
}

/** Not limited, however often it is asked. */
export async function configCounters(bigpipe: BigpipeProcess): Promise<ConfigCounters> {
  return ((await bigpipe.stats()) as unknown as { configStats: ConfigCounters }).configStats;
}

export const untilCounted = (bigpipe: BigpipeProcess, what: keyof ConfigCounters, count: number): Promise<unknown> =>
  until(`${what} of the configuration is ${count}`, async () => (await configCounters(bigpipe))[what] === count);
