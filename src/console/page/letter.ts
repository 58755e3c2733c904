// One dead letter from all sides: its history, its headers, and its body as text, as JSON or byte by byte.
import type { Letter } from './answers.js';
import { bytesOf, hexOf, jsonOf, textOf } from './body-text.js';
import { openDialog } from './dialog.js';
import { button, el, link, place } from './dom.js';
import { bytes, many, moment } from './format.js';
import { facts } from './parts.js';

/** More is a page that nobody reads and a browser that stands still. */
const maxShown = 256 * 1024;

export function openLetter(letter: Letter, at: { readonly topic: string; readonly groupId: string }): void {
  const { id, url, key, history, headers, partition, offset } = letter;
  const when = (name: string) => (history[name] ? moment(history[name], Date.now()) : '–');
  const dialog = openDialog(
    id ?? `${partition}/${offset}`,
    facts([
      ['Why', `${history['reason'] ?? 'unknown'}: ${history['detail'] ?? ''}`],
      ['URL', url ?? 'none'],
      [
        'Attempts',
        `${many(Number(history['attempts'] ?? 0), 'attempt', 'attempts')}, from ${when('first-attempt')} to ${when('last-attempt')}`,
      ],
      ['Last status', history['status'] === '0' ? 'no answer came' : (history['status'] ?? '–')],
      ['Key', key ?? 'none'],
      ['First stored', `${history['topic']}/${history['partition']}/${history['offset']}`],
      ['Letter', `${at.topic} / ${at.groupId}, partition ${partition}, offset ${offset}`],
    ]),
    ...(history['answer'] ? [el('h3', {}, 'Last answer'), el('pre', { class: 'body' }, history['answer'])] : []),
    el('h3', {}, 'Headers'),
    facts(Object.entries(headers)),
    ...bodyView(letter),
    el(
      'div',
      { class: 'actions' },
      ...(id === null ? [] : [link(place('message', id), 'Where it is', 'button')]),
      button('Close', 'primary', () => dialog.close()),
    ),
  );
  dialog.classList.add('wide');
}

function bodyView({ bodyBase64 }: Letter): readonly HTMLElement[] {
  const body = bytesOf(bodyBase64);
  const shown = body.subarray(0, maxShown);
  const view = el('pre', { class: 'body', attrs: { tabindex: '0' } });
  const forms: Readonly<Record<string, string | null>> = {
    JSON: body.length > maxShown ? null : jsonOf(shown),
    Text: textOf(shown),
    Hex: hexOf(shown.subarray(0, maxShown / 16)),
  };
  const tabs = Object.entries(forms).flatMap(([name, text]) => {
    if (text === null) return [];
    const tab = button(name, 'tab', () => {
      for (const other of tabs) other.setAttribute('aria-pressed', String(other === tab));
      view.textContent = text;
    });
    return tab;
  });
  tabs[0]?.click();
  const cut = body.length > maxShown ? `, the first ${bytes(maxShown)} of it` : '';
  const save = button('Save', 'tab', () => saveAs(body));
  return [el('h3', {}, `Body, ${bytes(body.length)}${cut}`), el('div', { class: 'tabs' }, ...tabs, save), view];
}

/** Never opened: whatever it is, it is bytes. */
function saveAs(body: Uint8Array<ArrayBuffer>): void {
  const url = URL.createObjectURL(new Blob([body], { type: 'application/octet-stream' }));
  const anchor = el('a', { attrs: { href: url, download: 'body.bin' } });
  anchor.click();
  URL.revokeObjectURL(url);
}
