// Sending dead letters again: what is asked before, and how it goes.

import type { RedriveReport } from './answers.js';
import type { Api, Fields } from './api.js';
import { ask, messageOf, notice } from './dialog.js';
import { button, el, setText } from './dom.js';
import { count, many } from './format.js';
import { chip, meter } from './parts.js';
import type { Page } from './view.js';

export interface RedrivePanel {
  readonly element: HTMLElement;
  show(report: RedriveReport | null): void;
}

export function redrivePanel({ api }: Page, path: string): RedrivePanel {
  const state = chip();
  const words = el('span', { class: 'grow' });
  const bar = meter('redrive');
  const stop = button(
    'Stop',
    '',
    () => void api.delete(`${path}/redrive`).catch((error: unknown) => notice(messageOf(error), true)),
  );
  const element = el(
    'div',
    { class: 'redrive', attrs: { 'data-test': 'redrive' } },
    state.element,
    bar.element,
    words,
    stop,
  );
  element.hidden = true;
  return {
    element,
    show: (report) => {
      element.hidden = report === null;
      if (report === null) return;
      const { total, delivered, failed, held, followed, reason, isUnderWay } = report;
      state.show(report.state, reason);
      stop.hidden = !isUnderWay;
      const ended = delivered + failed;
      bar.show(total === 0 ? 1 : ended / total, `${count(ended)} of ${count(total)}`);
      const parts = [
        `${count(delivered)} delivered`,
        failed > 0 ? `${count(failed)} failed again` : '',
        held > 0 ? `${count(held)} held behind their key` : '',
        followed > 0 ? `${count(followed)} followed` : '',
        reason,
      ];
      setText(words, parts.filter(Boolean).join(' · '));
    },
  };
}

function numberField(label: string, about: string, value: string) {
  const input = el('input', { attrs: { type: 'number', value, min: '0', step: 'any', required: '' } });
  return { input, element: el('label', { class: 'field' }, el('span', {}, label), input, el('small', {}, about)) };
}

export function askToRedrive({ api }: Page, path: string, name: string): void {
  const pace = numberField('Letters a second', 'the gates of the subscription hold on top of it', '10');
  const canary = numberField('Sent first, in %', 'all of them are answered before any other goes', '1');
  const fails = numberField('Stop when so many % fail', 'of first attempts; what was not sent stays', '20');
  const preview = el('p', { class: 'muted' }, 'Counting…');
  const order = (): Fields => ({
    rate: Number(pace.input.value),
    canary: Number(canary.input.value) / 100,
    abortIfFailRate: Number(fails.input.value) / 100,
  });
  void count1000(api, path).then((text) => setText(preview, text));
  ask(
    {
      title: `Send the dead letters of ${name} again?`,
      text: 'They go to this subscription only, each from where it stands. One that fails again stays a dead letter.',
      yes: 'Send again',
      extra: [preview, el('div', { class: 'fields' }, pace.element, canary.element, fails.element)],
    },
    () => api.post(`${path}/redrive`, order()),
  );
}

/** What a dry run says, in words; it looks at a thousand at most. */
async function count1000(api: Api, path: string): Promise<string> {
  try {
    const dry = await api.post<{ letters: number; isAll: boolean; byReason: Readonly<Record<string, number>> }>(
      `${path}/redrive`,
      { dryRun: true },
    );
    const byReason = Object.entries(dry.byReason).map(([reason, number]) => `${count(number)} ${reason}`);
    return `${dry.isAll ? '' : 'More than '}${many(dry.letters, 'letter', 'letters')}: ${byReason.join(', ')}`;
  } catch (error) {
    return messageOf(error);
  }
}

export function askToPurge({ api }: Page, path: string, name: string, open: number): void {
  const typed = el('input', { attrs: { type: 'text', 'aria-label': 'the number of letters', autocomplete: 'off' } });
  ask(
    {
      title: `Purge the dead letters of ${name}?`,
      text: `${many(open, 'letter', 'letters')} will be gone for good. Type their number, ${open}, to confirm.`,
      yes: 'Purge',
      isGrave: true,
      extra: [el('div', { class: 'fields' }, typed)],
    },
    async () => {
      if (typed.value.trim() !== String(open)) throw new Error(`type ${open} to confirm`);
      const { purged } = await api.delete<{ purged: number }>(path);
      notice(`${many(purged, 'letter', 'letters')} purged`);
    },
  );
}
