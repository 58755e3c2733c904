// An incident as an operator lives through it in the console, in a real browser: from the first failure to the last redriven letter.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { hasChromium, openPage, startBrowser } from '../support/browser.js';
import { ReturningServer } from '../support/returning-server.js';
import { until } from '../support/until.js';

/** With it the walk leaves its pictures there: CONSOLE_SCREENSHOTS=docs/console. */
const pictures = process.env['CONSOLE_SCREENSHOTS'];
const calls = 60;
const subscription = baseConsumer({
  groupId: 'webhooks',
  retries: 0,
  concurrency: 20,
  rateLimit: 200,
  circuitBreaker: { winSize: 10, minStats: 5, healthRate: 0.5, breakPeriod: 2, recoverPeriod: 8 },
});

let bigpipe: BigpipeProcess;
let browser: Browser;
const delivered = new Map<string, number>();
const receiver = new ReturningServer((request, response) => {
  request.resume();
  request.once('end', () => {
    const id = String(request.headers['bigpipe-message-id']);
    delivered.set(id, (delivered.get(id) ?? 0) + 1);
    response.writeHead(200).end();
  });
});

async function call(count: number, from: number): Promise<void> {
  const url = `${receiver.url}orders`;
  const answers = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      bigpipe.call({ id: `order-${from + i}`, url, data: JSON.stringify({ order: from + i, total: '12.90' }) }),
    ),
  );
  expect(answers.every(({ body }) => body.errno === 0)).toBe(true);
}

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  await mkdir(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `incident-${name}.png`) });
}

describe.skipIf(!hasChromium)('the console', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    await receiver.open();
    [browser, bigpipe] = await Promise.all([
      startBrowser(),
      BigpipeProcess.start({ config: baseConfig({ 'kafka.consumer.list': [subscription] }) }),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await bigpipe?.dispose();
    await receiver.close();
  });

  test('shows a receiver die, its circuit open, its dead letters, its ramp, and the redrive to none', async () => {
    const { page, complaints } = await openPage(browser);
    const finding = (text: string) => page.locator('.finding', { hasText: text });
    await page.goto(`${bigpipe.management}/console`);
    await finding('All is well').waitFor();
    await call(5, 0);
    await until('the receiver is well', () => delivered.size === 5);

    await receiver.close();
    await call(calls, 5);
    await finding('circuit open').waitFor();
    const name = new URL(receiver.url).origin;
    await page.locator('.troubled', { hasText: name }).locator('.chip', { hasText: 'open' }).waitFor();
    await page.locator('.failure', { hasText: name }).first().waitFor();
    await finding('dead letter').waitFor();
    await picture(page, '1-circuit-open');

    await finding('dead letter').click();
    await page.locator('.letter').first().click();
    const body = page.locator('dialog pre.body').last();
    await body.waitFor();
    expect(await body.textContent()).toContain('"total": "12.90"');
    await picture(page, '2-dead-letter');
    await page.keyboard.press('Escape');

    await page.keyboard.press('2');
    await receiver.open();
    const row = page.locator('.virtual .destination', { hasText: name });
    await row.locator('.chip', { hasText: 'recovering' }).waitFor();
    await row.locator('.meter', { hasText: /of 200\/s/ }).waitFor();
    if (pictures !== undefined) await row.locator('.meter', { hasText: /\d\d of 200\/s/ }).waitFor();
    await picture(page, '3-ramp');
    await row.locator('.chip', { hasText: 'closed' }).waitFor();
    await until('what waited is delivered', async () => {
      const { rpcTotal = 0, rpcSuccess = 0, rpcFail = 0 } = (await bigpipe.stats()).clientStats['test'] ?? {};
      return rpcTotal === calls + 5 && rpcSuccess + rpcFail === rpcTotal;
    });
    expect(delivered.size).toBeLessThan(calls + 5);

    await page.keyboard.press('5');
    const open = page.locator('[data-test=open]');
    await expect.poll(() => open.textContent()).toBe(`${calls + 5 - delivered.size} open`);
    await page.getByRole('button', { name: 'Send again…' }).click();
    await page.getByLabel('Letters a second').fill('10');
    await page.locator('dialog').getByText('exhausted').waitFor();
    await page.locator('dialog').getByRole('button', { name: 'Send again' }).click();
    await page.locator('[data-test=redrive] .chip', { hasText: 'running' }).waitFor();
    await picture(page, '4-redrive');
    await page.locator('[data-test=redrive] .chip', { hasText: 'done' }).waitFor();
    await expect.poll(() => open.textContent(), { timeout: 30_000 }).toBe('0 open');
    await finding('All is well').waitFor();
    await page.keyboard.press('1');
    await page.locator('.tile').first().waitFor();
    await picture(page, '5-over');

    expect(delivered.size).toBe(calls + 5);
    expect([...delivered.values()].every((times) => times === 1)).toBe(true);
    expect(complaints).toEqual([]);
  });
});
