// The Helm chart as Kubernetes would get it: rendered by the real helm, read as objects.
import { execFile, spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

const run = promisify(execFile);

export const chartDirectory = fileURLToPath(new URL('../../helm/bigpipe', import.meta.url));
const release = 'calls';

const isThere = (tool: string, ...args: readonly string[]) => spawnSync(tool, args).status === 0;

/** Says aloud what is not tested without them. */
export const hasHelm = isThere('helm', 'version');
if (!hasHelm) console.log('SKIPPED: helm is not there, the chart is not tested');
export const hasValidator = isThere('kubernetes-validate', '--version');
if (!hasValidator)
  console.log("SKIPPED: kubernetes-validate is not there, manifests are not held to Kubernetes' schemas");
export const hasPromtool = isThere('promtool', '--version');
if (!hasPromtool) console.log('SKIPPED: promtool is not there, the alert rules are not tested');

/** Only as deep as tests look. */
export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly data?: Record<string, string>;
  readonly spec?: Record<string, unknown>;
}

/** `values` by their dotted path, as after --set-json. Rejects with what helm says. */
export async function rendered(file: string | null, values: Record<string, unknown> = {}): Promise<string> {
  const files = file === null ? [] : ['--values', file];
  const sets = Object.entries(values).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);
  const args = ['template', release, chartDirectory, '--namespace', 'shop', ...files, ...sets];
  return (await run('helm', args, { maxBuffer: 16_777_216 })).stdout;
}

export const manifestsOf = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);

export async function manifests(file: string | null, values: Record<string, unknown> = {}): Promise<Manifest[]> {
  return manifestsOf(await rendered(file, values));
}

/** The values files that the chart is tried with, by their names; null: its own values alone. */
export async function valuesFiles(): Promise<(readonly [name: string, file: string | null])[]> {
  const directory = join(chartDirectory, 'ci');
  const files = (await readdir(directory)).sort();
  return [['defaults', null], ...files.map((file) => [basename(file, '.yaml'), join(directory, file)] as const)];
}

/** Throws unless there is exactly one. */
export function oneOf(all: readonly Manifest[], kind: string): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} of kind ${kind}`);
  return found[0] as Manifest;
}

interface Container {
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } };
}

export interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
  readonly volumes: readonly Record<string, unknown>[];
}

/** Of the StatefulSet or the Deployment. */
export function podOf(all: readonly Manifest[]) {
  const kind = all.some((one) => one.kind === 'Deployment') ? 'Deployment' : 'StatefulSet';
  return (oneOf(all, kind).spec as { template: { metadata: Manifest['metadata']; spec: PodSpec } }).template;
}
