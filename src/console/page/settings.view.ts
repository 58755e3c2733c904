// The settings in force, the last reload, and what of the file is not in force.
import type { ConfigPage, Sample } from './answers.js';
import { messageOf } from './dialog.js';
import { el } from './dom.js';
import { ago, bytes, duration, many, moment } from './format.js';
import { chip, empty, facts } from './parts.js';
import type { OpenView } from './view.js';

export const openSettings: OpenView = (page) => {
  const head = el('div');
  const table = el('div', { class: 'settings' });
  const search = el('input', { attrs: { type: 'search', placeholder: 'Filter keys', 'aria-label': 'filter keys' } });
  let version = -1;
  let errorSince = '';
  const filter = () => {
    for (const row of table.querySelectorAll<HTMLElement>('.setting'))
      row.hidden = !(row.dataset['key'] ?? '').includes(search.value.toLowerCase());
  };
  search.addEventListener('input', filter);
  const load = async () => {
    try {
      const config = await page.api.get<ConfigPage>('config');
      head.replaceChildren(...about(config));
      table.replaceChildren(...Object.entries(config.settings).map(([key, value]) => setting(key, value)));
      filter();
    } catch (error) {
      table.replaceChildren(empty(messageOf(error)));
    }
  };
  const process = el('div');
  return {
    element: el(
      'div',
      { class: 'cards' },
      el(
        'div',
        { class: 'sides' },
        el('section', { class: 'panel' }, el('header', {}, el('h2', {}, 'This process')), process),
        el('section', { class: 'panel' }, el('header', {}, el('h2', {}, 'The last reload')), head),
      ),
      el(
        'section',
        { class: 'panel' },
        el('header', {}, el('h2', {}, 'Settings in force'), el('div', { class: 'tools' }, search)),
        table,
      ),
    ),
    sample: (sample) => {
      process.replaceChildren(aboutProcess(sample));
      const { config } = sample;
      if (config.version === version && (config.lastError?.since ?? '') === errorSince) return;
      version = config.version;
      errorSince = config.lastError?.since ?? '';
      void load();
    },
    focus: () => search.focus(),
  };
};

function aboutProcess({ process: { pid, driver, uptimeSeconds, cpuShare, rssBytes }, broker }: Sample): HTMLElement {
  return facts([
    ['Log', `${driver}, ${broker.detail}`],
    ['Up for', duration(uptimeSeconds * 1000)],
    ['Processor', `${(cpuShare * 100).toFixed(0)} % of a core, all threads`],
    ['Memory', bytes(rssBytes)],
    ['Process id', String(pid)],
  ]);
}

function about({ file, version, loadedAt, lastError, pendingRestart }: ConfigPage): readonly HTMLElement[] {
  const now = Date.now();
  const state = chip();
  state.show(lastError === null ? 'in force' : 'refused');
  return [
    facts([
      ['File', file],
      ['State', state.element],
      ['Version', `${version}, in force since ${moment(loadedAt, now)}, ${ago(loadedAt, now)}`],
    ]),
    ...(lastError === null
      ? []
      : [
          el('h3', {}, `Why the file as it is now is not in force, since ${moment(lastError.since, now)}`),
          lines(lastError.faults),
        ]),
    ...(pendingRestart.length === 0 ? [] : [el('h3', {}, 'Waits for a restart'), lines(pendingRestart)]),
  ];
}

const lines = (texts: readonly string[]): HTMLElement =>
  el('ul', { class: 'lines' }, ...texts.map((text) => el('li', {}, text)));

function setting(key: string, value: unknown): HTMLElement {
  const isDeep = typeof value === 'object' && value !== null;
  const text = isDeep ? JSON.stringify(value, null, 2) : typeof value === 'string' ? value : JSON.stringify(value);
  return el(
    'div',
    { class: 'setting', attrs: { 'data-key': `${key} ${isDeep ? '' : text}`.toLowerCase() } },
    el('span', { class: 'mono' }, key),
    isDeep
      ? el(
          'details',
          {},
          el('summary', {}, Array.isArray(value) ? many(value.length, 'entry', 'entries') : 'object'),
          el('pre', { class: 'body' }, text),
        )
      : el('span', { class: 'mono value' }, text),
  );
}
