// What stands before everything else until it is answered: questions, details, and what went wrong.
import { button, el } from './dom.js';

/** Closed by its buttons, Escape, or a click beside it. */
export function openDialog(title: string, ...content: readonly Node[]): HTMLDialogElement {
  const close = button('×', 'quiet close', () => dialog.close());
  close.setAttribute('aria-label', 'close');
  const head = el('header', {}, el('h2', {}, title), close);
  const dialog = el('dialog', { attrs: { 'aria-label': title } }, head, ...content);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export interface Question {
  readonly title: string;
  readonly text: string;
  /** On the button that does it. */
  readonly yes: string;
  /** It cannot be taken back. */
  readonly isGrave?: boolean;
  readonly extra?: readonly Node[];
}

/** Does it once it is confirmed; what goes wrong is told where it was asked. */
export function ask({ title, text, yes, isGrave = false, extra = [] }: Question, act: () => Promise<unknown>): void {
  const fault = el('p', { class: 'fault', attrs: { role: 'alert' } });
  fault.hidden = true;
  const doIt = button(yes, isGrave ? 'grave' : 'primary', () => {
    doIt.disabled = true;
    act().then(
      () => dialog.close(),
      (error: unknown) => {
        doIt.disabled = false;
        fault.hidden = false;
        fault.textContent = messageOf(error);
      },
    );
  });
  const actions = el(
    'div',
    { class: 'actions' },
    button('Cancel', '', () => dialog.close()),
    doIt,
  );
  const dialog = openDialog(title, el('p', {}, text), ...extra, fault, actions);
  doIt.focus();
}

/** For a moment, at the foot of the page. */
export function notice(text: string, isBad = false): void {
  const element = el('div', { class: isBad ? 'notice bad' : 'notice', attrs: { role: 'status' } }, text);
  document.body.append(element);
  setTimeout(() => element.remove(), isBad ? 8000 : 3500);
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
