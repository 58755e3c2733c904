// A real Chromium, from the machine's package, in which a test opens pages.
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';
/** The machine may be busy with much else. */
const boundMs = 45_000;

/** Says aloud what is not tested without it. */
export const hasChromium = existsSync(executablePath);
if (!hasChromium) console.log(`SKIPPED: ${executablePath} is not there, the console is not tested in a browser`);

/** What it would ask of its maker in the background is switched off. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath, args, timeout: boundMs, handleSIGINT: false });

/** A page that notes what it asks for, and everything that it or the browser complains about. */
export interface WatchedPage {
  readonly page: Page;
  readonly requested: string[];
  readonly complaints: string[];
}

/** In a profile of its own. */
export async function openPage(browser: Browser): Promise<WatchedPage> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(boundMs);
  const requested: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  return { page, requested, complaints };
}
