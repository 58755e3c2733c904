// The console in a real browser: nothing that is shown becomes markup or code, nothing is asked of anybody else, and a token is asked for.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { EventParser } from '#src/console/page/event-parser.js';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { hasChromium, openPage, startBrowser } from '../support/browser.js';
import { rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';

const token = 'a-token-of-32-characters-at-least';
const attack = (where: string) => `"'><img src=x onerror="window.hacked='${where}'"><script>hacked='${where}'</script>`;
/** A path of a view can hold anything, too. */
const views = (id: string) => [
  '#/',
  '#/destinations',
  '#/subscriptions',
  '#/failures',
  '#/dead-letters/test/G1',
  `#/message/${id}`,
  '#/settings',
  `#/message/${encodeURIComponent(attack('message'))}`,
  `#/destinations/test/G1/${encodeURIComponent(attack('destination'))}`,
  `#/dead-letters/${encodeURIComponent(attack('topic'))}/${encodeURIComponent(attack('group'))}`,
  '#/%E0%A4%A',
];

const started: BigpipeProcess[] = [];

async function start(config: Config): Promise<BigpipeProcess> {
  const bigpipe = await BigpipeProcess.start({ config: baseConfig(config) });
  started.push(bigpipe);
  return bigpipe;
}

/** For all that leave them as they found them. */
let open: BigpipeProcess;
let guarded: BigpipeProcess;

beforeAll(async () => {
  open = await BigpipeProcess.start({ config: baseConfig() });
  guarded = await BigpipeProcess.start({ config: baseConfig({ 'management.token': token }) });
});

afterAll(async () => {
  await open?.dispose();
  await guarded?.dispose();
});

afterEach(async () => {
  for (const bigpipe of started.splice(0)) await bigpipe.dispose();
});

/** What the page could be made of that it does not make itself. */
const strangeElements = (page: Page) =>
  page.evaluate('document.querySelectorAll("img, script:not([src]), iframe, object, [onerror], [onload]").length');

describe.skipIf(!hasChromium)('the console', { timeout: 180_000 }, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
  });

  test('shows hostile URLs, keys, bodies, headers and answers as the texts that they are', async () => {
    const target = await TargetServer.start();
    target.script = (_arrival, response) => {
      response.writeHead(400, { 'content-type': 'text/html' }).end(attack('answer'));
    };
    const bigpipe = await start({});
    const { page, requested, complaints } = await openPage(browser);
    try {
      const headers = { 'x-note': attack('header') };
      const url = target.url(`/hook?q=${attack('url').replaceAll(' ', '/')}`);
      const { body: answer } = await bigpipe.call({
        id: 'hostile',
        url,
        partition_key: attack('key'),
        data: attack('body'),
        headers,
      });
      expect(answer.errno).toBe(0);
      await page.goto(`${bigpipe.management}/console`);
      await page.locator('.finding', { hasText: 'dead letter' }).waitFor();
      for (const view of views('hostile')) {
        await page.goto(`${bigpipe.management}/console${view}`);
        await page.locator('main > *').first().waitFor();
        expect([view, await strangeElements(page)]).toEqual([view, 0]);
      }
      await page.goto(`${bigpipe.management}/console#/message/hostile`);
      await page.locator('[data-test=delivery]', { hasText: "hacked='answer'" }).waitFor();
      await page.goto(`${bigpipe.management}/console#/dead-letters/test/G1`);
      await page.locator('.letter').click();
      for (const where of ['key', 'body', 'header', 'answer']) {
        await page.locator('dialog', { hasText: `<script>hacked='${where}'</script>` }).waitFor();
      }
      expect(await strangeElements(page)).toBe(0);
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Purge…' }).click();
      const sure = page.locator('dialog').getByRole('button', { name: 'Purge' });
      await page.getByLabel('the number of letters').fill('2');
      await sure.click();
      await page.getByText('type 1 to confirm').waitFor();
      await page.getByLabel('the number of letters').fill('1');
      await sure.click();
      await page.getByText('0 open').waitFor();
      expect(await page.evaluate('window.hacked')).toBeUndefined();
      // The browser itself refuses, too.
      expect(await page.evaluate('try { document.body.innerHTML = "<b>"; "taken" } catch (e) { e.name }')).toBe(
        'TypeError',
      );
      const elsewhere = requested.filter((address) => !address.startsWith(bigpipe.management));
      expect(elsewhere).toEqual([]);
      expect(complaints.filter((text) => !text.includes('404') && !text.includes('TrustedHTML'))).toEqual([]);
    } finally {
      await page.close();
      await target.close();
    }
  });

  test('a token is asked for, kept in the tab, and stands in no address', async () => {
    const bigpipe = guarded;
    const { page, requested } = await openPage(browser);
    await page.goto(`${bigpipe.management}/console`);
    await page.getByLabel('token').fill('not-the-token');
    await page.keyboard.press('Enter');
    await page.getByText('That is not the token.').waitFor();
    await page.getByLabel('token').fill(token);
    await page.keyboard.press('Enter');
    await page.locator('.finding', { hasText: 'All is well' }).waitFor();
    await page.reload();
    await page.locator('.finding', { hasText: 'All is well' }).waitFor();
    expect(requested.filter((address) => address.includes('token'))).toEqual([]);
    const other = await openPage(browser);
    await other.page.goto(`${bigpipe.management}/console`);
    await other.page.getByLabel('token').waitFor();
    await page.close();
    await other.page.close();
  });

  test('a thousand destinations are one list of which only what is seen exists; the keyboard goes through it, the filter finds one', async () => {
    const target = createServer((request, response) => {
      request.resume();
      request.once('end', () => response.writeHead(200).end());
    });
    await new Promise<void>((resolve) => target.listen(0, '0.0.0.0', resolve));
    const { port } = target.address() as AddressInfo;
    const nameOf = (i: number) => `http://127.10.${100 + Math.floor(i / 100)}.${100 + (i % 100)}:${port}`;
    const bigpipe = await start({});
    const { page, complaints } = await openPage(browser);
    try {
      const left = Array.from({ length: 1000 }, (_, i) => nameOf(i));
      const caller = async () => {
        for (let url = left.pop(); url !== undefined; url = left.pop()) {
          const { body } = await bigpipe.call({ url: `${url}/hook` });
          expect(body.errno).toBe(0);
        }
      };
      await Promise.all(Array.from({ length: 20 }, caller));
      await page.goto(`${bigpipe.management}/console#/destinations`);
      await page.getByText('1,000 destinations', { exact: true }).waitFor();
      await page.getByRole('listbox').focus();
      await page.keyboard.press('End');
      const selected = page.locator('[role=option][aria-selected=true]');
      await selected.getByText(nameOf(999), { exact: true }).waitFor();
      expect(await selected.getAttribute('aria-setsize')).toBe('1000');
      expect(await page.locator('[role=option]').count()).toBeLessThan(60);
      await page.keyboard.press('k');
      await page.keyboard.press('Enter');
      await page.locator('dialog').getByText(nameOf(998), { exact: true }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByLabel('filter destinations by name').fill(nameOf(417).slice(7));
      await page.getByText('1 destination', { exact: true }).waitFor();
      expect(complaints).toEqual([]);
    } finally {
      await page.close();
      target.close();
    }
  });

  test('a paused subscription is resumed with the keyboard alone, in the dark, on a narrow window', async () => {
    const bigpipe = open;
    const { page, complaints } = await openPage(browser);
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${bigpipe.management}/console`);
    await page.locator('.finding', { hasText: 'All is well' }).waitFor();
    await page.keyboard.press('3');
    await page.getByRole('button', { name: 'Pause…' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('dialog').waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.finding', { hasText: 'is paused since' }).waitFor();
    await page.getByRole('button', { name: 'Resume' }).focus();
    await page.keyboard.press('Enter');
    await page.locator('.finding', { hasText: 'All is well' }).waitFor();
    const isWider = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
    expect(isWider).toBe(false);
    expect(complaints).toEqual([]);
    await page.close();
  });
});

test('its files are for everybody who may come; what it shows is for who has the token, and for no other page', async () => {
  const statusOf = async (
    bigpipe: BigpipeProcess,
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ) => (await rawRequest(`${bigpipe.management}${path}`, { method, headers })).status;
  for (const path of ['/console', '/console/assets/dead-letters.view.js', '/console/assets/uplot.js']) {
    expect([path, await statusOf(guarded, path)]).toEqual([path, 200]);
  }
  const closed = [
    '/console/stream',
    '/console/',
    '/console?x',
    '/console/assets/../../config',
    '/console/assets/%2e%2e/config',
  ];
  for (const path of [...closed, '/attempts?id=x', '/failures']) {
    expect([path, await statusOf(guarded, path)]).toEqual([path, 401]);
  }
  expect(await statusOf(guarded, '/console', {}, 'POST')).toBe(401);
  expect(await statusOf(guarded, '/console/assets/none.js')).toBe(404);
  for (const path of ['/console', '/console/stream', '/console/assets/main.js']) {
    expect([path, await statusOf(open, path, { origin: 'http://evil.example' })]).toEqual([path, 403]);
    expect([path, await statusOf(open, path, { 'sec-fetch-site': 'cross-site' })]).toEqual([path, 403]);
  }
  const page = await rawRequest(`${open.management}/console`, { method: 'GET', headers: {} });
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(page.text).not.toMatch(/<script>|<style|style=|\son\w+=/);
  const main = await fetch(`${open.origin}/console`);
  expect(main.status).toBe(404);
});

test('the stream tells the curves once, samples, and the destinations that were asked for; what it cannot read it names', async () => {
  const targets = [await TargetServer.start(), await TargetServer.start()] as const;
  const bigpipe = open;
  for (const target of targets) await bigpipe.call({ url: target.url() });
  const [{ host }, other] = targets.map((target) => new URL(target.url())) as [URL, URL];
  const found = async (query: string) => {
    const abort = new AbortController();
    const response = await fetch(`${bigpipe.management}/console/stream${query}`, { signal: abort.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const parser = new EventParser();
    const names: string[] = [];
    const listed = new Set<string>();
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      for (const { name, data } of parser.push(text)) {
        names.push(name);
        if (name === 'destinations')
          for (const row of (JSON.parse(data) as { rows: { destination: string }[] }).rows) listed.add(row.destination);
      }
      if (names.filter((name) => name === 'sample').length >= 2) break;
    }
    abort.abort();
    return { names: new Set(names), first: names[0], listed: [...listed].toSorted() };
  };
  expect(await found('')).toMatchObject({ first: 'curves', names: new Set(['curves', 'sample']), listed: [] });
  await expect
    .poll(async () => (await found('?destinations=')).listed, { timeout: 30_000 })
    .toEqual([`http://${host}`, other.origin].toSorted());
  expect((await found(`?destinations=${host.toUpperCase()}`)).listed).toEqual([`http://${host}`]);
  for (const query of [`?destinations=${'x'.repeat(300)}`, '?destinations=a&destinations=b']) {
    const refused = await fetch(`${bigpipe.management}/console/stream${query}`);
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain('destinations: allowed: one text of at most 256 characters');
  }
  await Promise.all(targets.map((target) => target.close()));
});

test('no more consoles than may be, and a place for the next one when one has gone', async () => {
  const bigpipe = open;
  const opened: AbortController[] = [];
  const openOne = async () => {
    const abort = new AbortController();
    const response = await fetch(`${bigpipe.management}/console/stream`, { signal: abort.signal });
    if (response.status === 200) opened.push(abort);
    else await response.text();
    return response.status;
  };
  while ((await openOne()) === 200 && opened.length < 64);
  expect(opened).toHaveLength(16);
  opened[0]?.abort();
  await expect.poll(openOne, { timeout: 20_000 }).toBe(200);
  for (const abort of opened) abort.abort();
});
