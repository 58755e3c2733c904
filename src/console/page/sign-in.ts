// Asks for the token of the management listener; it stays in this tab.
import { type Api, ApiError } from './api.js';
import { messageOf } from './dialog.js';
import { el } from './dom.js';

/** Calls `done` once a token was right. */
export function signIn(api: Api, done: () => void): HTMLElement {
  const input = el('input', {
    attrs: { type: 'password', name: 'token', autocomplete: 'current-password', 'aria-label': 'token', required: '' },
  });
  const fault = el('p', { class: 'fault', attrs: { role: 'alert' } });
  const form = el(
    'form',
    { class: 'panel sign-in' },
    el('h1', {}, 'bigpipe'),
    el(
      'p',
      { class: 'muted' },
      'This listener has a token: management.token of the configuration. It is kept in this tab until you close it.',
    ),
    input,
    fault,
    el('button', { class: 'primary' }, 'Sign in'),
  );
  const check = async () => {
    api.token = input.value.trim();
    try {
      await api.get('config');
    } catch (error) {
      api.token = null;
      fault.textContent =
        error instanceof ApiError && error.status === 401 ? 'That is not the token.' : messageOf(error);
      input.select();
      return;
    }
    done();
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void check();
  });
  queueMicrotask(() => input.focus());
  return form;
}
