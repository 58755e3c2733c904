// Holds and lets go the subscription of the program that is measured, as an operator would.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from './bigpipe-app.ts';
import { sleep } from './windows.ts';

/** Management pages are limited to so many a second. */
const tooMany = 429;
const againMs = 50;

/** Of the usual topic and group. */
export async function setPaused(app: BigpipeApp, isPaused: boolean): Promise<void> {
  const path = `/subscriptions/bench/bench/${isPaused ? 'pause' : 'resume'}`;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${app.managementPort}${path}`, { method: 'POST' });
    const text = await response.text();
    if (response.ok) return;
    assert.equal(response.status, tooMany, text);
    await sleep(againMs);
  }
}
