// The dead letters of the program that is measured, over its management port.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from './bigpipe-app.ts';
import { sleep } from './windows.ts';

/** The pages for people are limited to so many a second. */
const pollMs = 200;
const longestMs = 240_000;
const tooMany = 429;
const place = '/dlq/bench/bench';

export interface KeptLetters {
  readonly open: number;
  readonly parkedKeys: readonly { readonly key: string }[];
}

export interface RedriveReport {
  readonly state: string;
  readonly reason: string;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
}

async function ask<T>(app: BigpipeApp, method: string, path: string, body?: object): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { 'content-type': 'application/json' };
  }
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${app.managementPort}${path}`, init);
    const answer = await response.json();
    assert(response.ok || response.status === tooMany, `${method} ${path}: ${JSON.stringify(answer)}`);
    if (response.ok) return answer as T;
    await sleep(pollMs);
  }
}

/** The first overview of which `holds` is true. */
export async function untilKept(app: BigpipeApp, holds: (kept: KeptLetters) => boolean): Promise<KeptLetters> {
  const endMs = performance.now() + longestMs;
  for (;;) {
    const [kept] = await ask<KeptLetters[]>(app, 'GET', '/dlq');
    assert(kept !== undefined);
    if (holds(kept)) return kept;
    assert(performance.now() < endMs, `the dead letters were last ${JSON.stringify(kept)}`);
    await sleep(pollMs);
  }
}

/** Of all letters; `order` as in POST /dlq/…/redrive. */
export async function startRedrive(app: BigpipeApp, order: object): Promise<void> {
  await ask(app, 'POST', `${place}/redrive`, order);
}

export async function untilRedriven(app: BigpipeApp): Promise<RedriveReport> {
  const endMs = performance.now() + longestMs;
  for (;;) {
    const report = await ask<RedriveReport>(app, 'GET', `${place}/redrive`);
    if (report.state !== 'running') return report;
    assert(performance.now() < endMs, `the redrive was last ${JSON.stringify(report)}`);
    await sleep(pollMs);
  }
}
