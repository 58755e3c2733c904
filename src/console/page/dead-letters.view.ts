// The dead letters of one subscription: which, why, what is in them; sent again with their progress, or purged.
import type { Letter, Sample, SubscriptionRow } from './answers.js';
import { pathOf } from './api.js';
import { messageOf } from './dialog.js';
import { button, el, link, place, type Row, setText } from './dom.js';
import { count, many, moment } from './format.js';
import { openLetter } from './letter.js';
import { chip, empty } from './parts.js';
import { askToPurge, askToRedrive, redrivePanel } from './redrive.js';
import type { OpenView, Page } from './view.js';
import { VirtualList } from './virtual-list.js';

const rowHeight = 52;
const pageLength = 200;

interface Place {
  readonly topic: string;
  readonly groupId: string;
}

/** Without a place in the address: of the subscription that has most. */
export const openDeadLetters: OpenView = (page, [topic, groupId]) => {
  if (topic !== undefined && groupId !== undefined) return lettersOf(page, { topic, groupId });
  const element = el('div', { class: 'panel' }, empty('Looking for dead letters…'));
  const go = ({ subscriptions }: Sample) => {
    const most = [...subscriptions].sort((a, b) => (b.deadLetters ?? -1) - (a.deadLetters ?? -1))[0];
    if (most === undefined) element.replaceChildren(empty('There is no subscription.'));
    else location.replace(place('dead-letters', most.topic, most.groupId));
  };
  return { element, sample: go };
};

function lettersOf(page: Page, at: Place) {
  let letters: readonly Letter[] = [];
  let seen = -1;
  let ended = '';
  let busy = false;
  const path = `dlq/${pathOf(at.topic, at.groupId)}`;
  const choice = el('select', { attrs: { 'aria-label': 'subscription' } });
  choice.addEventListener('change', () => location.assign(choice.value));
  const counted = el('span', { class: 'muted', attrs: { 'data-test': 'open' } });
  const note = empty('');
  const progress = redrivePanel(page, path);
  const rows = new VirtualList<Letter>({
    label: 'dead letters',
    rowHeight,
    keyOf: (letter) => `${letter.partition}/${letter.offset}`,
    makeRow: letterRow,
    open: (letter) => openLetter(letter, at),
  });
  const more = button('Next page', '', () => void load(letters.at(-1)));
  const first = button('First page', '', () => void load());
  const again = button('Send again…', 'primary', () => askToRedrive(page, path, `${at.topic} / ${at.groupId}`));
  const purge = button('Purge…', '', () => askToPurge(page, path, `${at.topic} / ${at.groupId}`, seen));
  const load = async (after?: Letter) => {
    if (busy) return;
    busy = true;
    try {
      letters = await readPage(page, path, after);
      rows.show(letters);
      setText(
        note,
        letters.length > 0
          ? ''
          : seen > 0
            ? 'No more letters behind these.'
            : 'There is none: everything was delivered, or is on its way.',
      );
    } catch (error) {
      setText(note, messageOf(error));
    }
    note.hidden = note.textContent === '';
    first.hidden = after === undefined;
    more.hidden = letters.length < pageLength;
    busy = false;
  };
  const sample = ({ subscriptions }: Sample) => {
    showChoice(choice, subscriptions, at);
    const row = subscriptions.find(({ topic, groupId }) => topic === at.topic && groupId === at.groupId);
    if (row === undefined) {
      setText(counted, 'there is no such subscription here');
      return;
    }
    progress.show(row.redrive);
    setText(counted, row.deadLetters === null ? 'none are kept' : `${count(row.deadLetters)} open`);
    const open = row.deadLetters ?? 0;
    again.disabled = open === 0 || row.redrive?.isUnderWay === true;
    purge.disabled = again.disabled;
    // What is shown follows, but is not pulled away under a reader who is further down.
    const isOver = row.redrive === null ? '' : `${row.redrive.id} ${row.redrive.isUnderWay}`;
    if (seen === -1 || (open !== seen && rows.element.scrollTop === 0 && first.hidden) || isOver !== ended) {
      seen = open;
      ended = isOver;
      void load();
    }
    seen = open;
  };
  first.hidden = true;
  more.hidden = true;
  return {
    element: el(
      'section',
      { class: 'panel fill' },
      el(
        'header',
        {},
        el('h2', {}, 'Dead letters'),
        choice,
        counted,
        el('div', { class: 'tools' }, first, more, again, purge),
      ),
      progress.element,
      note,
      rows.element,
    ),
    sample,
    focus: () => rows.element.focus(),
    close: () => rows.close(),
  };
}

/** Those behind one: of its partition, and then of the partitions that follow. */
async function readPage(page: Page, path: string, after: Letter | undefined): Promise<readonly Letter[]> {
  const read = async (query: string) =>
    (await page.api.get<{ letters: Letter[] }>(`${path}?limit=${pageLength}${query}`)).letters;
  if (after === undefined) return read('');
  const overview =
    await page.api.get<readonly { topic: string; groupId: string; partitions: readonly { partition: number }[] }[]>(
      'dlq',
    );
  const row = overview.find(({ topic, groupId }) => path === `dlq/${pathOf(topic, groupId)}`);
  let letters = await read(`&partition=${after.partition}&from=${BigInt(after.offset) + 1n}`);
  for (const { partition } of row?.partitions ?? []) {
    if (partition <= after.partition || letters.length >= pageLength) continue;
    letters = [...letters, ...(await read(`&partition=${partition}`))];
  }
  return letters.slice(0, pageLength);
}

function showChoice(choice: HTMLSelectElement, subscriptions: readonly SubscriptionRow[], at: Place): void {
  const options = subscriptions.map(({ topic, groupId, deadLetters }) => ({
    value: place('dead-letters', topic, groupId),
    text: `${topic} / ${groupId} (${deadLetters === null ? 'none kept' : count(deadLetters)})`,
  }));
  const isSame =
    choice.options.length === options.length && options.every(({ value }, i) => choice.options[i]?.value === value);
  if (!isSame) choice.replaceChildren(...options.map(({ value }) => el('option', { attrs: { value } })));
  options.forEach(({ text }, i) => {
    const option = choice.options[i];
    if (option !== undefined && option.textContent !== text) option.textContent = text;
  });
  const chosen = place('dead-letters', at.topic, at.groupId);
  if (choice.value !== chosen) choice.value = chosen;
}

function letterRow(): Row<Letter> {
  const reason = chip();
  const url = el('b', { class: 'name' });
  const detail = el('small');
  const when = el('small', { class: 'right' });
  const id = link('#/', '', 'mono');
  const element = el(
    'div',
    { class: 'row letter' },
    reason.element,
    el('div', { class: 'grow' }, url, detail),
    el('div', { class: 'stackright' }, when, id),
  );
  return {
    element,
    update: ({ url: to, id: messageId, history, partition, offset }) => {
      reason.show(history['reason'] ?? 'unknown');
      setText(url, to ?? 'no URL');
      const attempts = Number(history['attempts'] ?? 0);
      setText(detail, [history['detail'], many(attempts, 'attempt', 'attempts')].filter(Boolean).join(' · '));
      setText(when, history['last-attempt'] ? moment(history['last-attempt'], Date.now()) : '');
      setText(id, messageId ?? `${partition}/${offset}`);
      id.href = messageId === null ? '#/' : place('message', messageId);
    },
  };
}
