// Small pieces that several views show: states, bars, figures.
import type { Backlog, DestinationRow, GateState, Pause } from './answers.js';
import { el, setClass, setText, setTitle } from './dom.js';
import { count, rate } from './format.js';
import { reasons, waiting } from './reasons.js';

/** How bad a state is; the style sheet's words. */
const moods: Readonly<Record<string, string>> = {
  open: 'bad',
  recovering: 'warn',
  held: 'warn',
  growing: 'warn',
  'warming up': 'info',
  paused: 'gray',
  closed: 'well',
  settled: 'well',
  delivered: 'well',
  'in flight': 'info',
  waiting: 'warn',
  unread: 'gray',
  'dead letter': 'bad',
  'to dead letter': 'bad',
  retry: 'warn',
  rejected: 'bad',
  running: 'info',
  done: 'well',
  stopped: 'gray',
  aborted: 'bad',
  failed: 'bad',
  exhausted: 'bad',
  invalid: 'bad',
  parked: 'warn',
  expired: 'gray',
  'circuit open': 'bad',
  'in force': 'well',
  refused: 'bad',
};

export interface Chip {
  readonly element: HTMLElement;
  show(state: string, title?: string): void;
}

/** A state in a word, with a mark whose shape says the same as its colour. */
export function chip(state = ''): Chip {
  const element = el('span', { class: 'chip' });
  const show = (next: string, title = '') => {
    setText(element, next);
    setClass(element, `chip ${moods[next] ?? 'gray'}`);
    setTitle(element, title);
  };
  show(state);
  return { element, show };
}

/** The one word for a destination. */
export function stateOf({ states }: DestinationRow, isPaused: boolean): string {
  if (isPaused) return 'paused';
  const order = ['open', 'recovering', 'held', 'growing', 'warming up'];
  const words = states.map(({ state }) => state).sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return words[0] ?? 'closed';
}

/** The state that the word comes from. */
export const gateOf = ({ states }: DestinationRow, word: string): GateState | undefined =>
  states.find(({ state }) => state === word);

export const pauseOf = (paused: readonly Pause[], destination: string | null): Pause | undefined =>
  paused.find((one) => one.destination === destination);

export interface Meter {
  readonly element: HTMLElement;
  show(share: number, text: string): void;
}

/** How far something has come, from 0 to 1. */
export function meter(label: string): Meter {
  const fill = el('i');
  const words = el('span');
  const bar = el(
    'div',
    { class: 'track', attrs: { role: 'progressbar', 'aria-label': label, 'aria-valuemax': '100' } },
    fill,
  );
  return {
    element: el('div', { class: 'meter' }, bar, words),
    show: (share, text) => {
      const percent = Math.round(Math.min(1, Math.max(0, share)) * 100);
      fill.style.width = `${percent}%`;
      bar.setAttribute('aria-valuenow', String(percent));
      setText(words, text);
    },
  };
}

/** How far a growing rate has come; the bar goes by factors, as the rate does. */
export function showRamp(ramp: Meter, gate: GateState | undefined): void {
  const { perSecond, fullPerSecond } = gate ?? {};
  const isGrowing = perSecond !== undefined && fullPerSecond !== undefined;
  ramp.element.hidden = !isGrowing;
  if (!isGrowing) return;
  const share = fullPerSecond <= 1 ? 1 : Math.log(Math.max(1, perSecond)) / Math.log(fullPerSecond);
  ramp.show(share, `${rate(perSecond)} of ${rate(fullPerSecond)}/s`);
}

export interface BacklogBar {
  readonly element: HTMLElement;
  show(backlog: Backlog): void;
}

/** What waits, by what it waits for: a bar of shares, and the words. */
export function backlogBar(): BacklogBar {
  const segments = reasons.map(({ name, label, about, hue }) => {
    const segment = el('i', { class: `hue-${hue}` });
    const value = el('b');
    const word = el(
      'span',
      { class: `legend-item hue-${hue}`, title: about },
      el('i', { class: 'swatch' }),
      `${label} `,
      value,
    );
    return { name, segment, value, word };
  });
  const bar = el('div', { class: 'stack' }, ...segments.map(({ segment }) => segment));
  const nothing = el('span', { class: 'muted' }, 'nothing waits');
  const words = el('div', { class: 'legend' }, nothing, ...segments.map(({ word }) => word));
  return {
    element: el('div', { class: 'backlog' }, bar, words),
    show: (backlog) => {
      const total = waiting(backlog);
      nothing.hidden = total > 0;
      bar.hidden = total === 0;
      for (const { name, segment, value, word } of segments) {
        const here = backlog[name] ?? 0;
        segment.style.width = total === 0 ? '0' : `${(here / total) * 100}%`;
        segment.hidden = here === 0;
        word.hidden = here === 0;
        setText(value, count(here));
      }
    },
  };
}

export interface Figure {
  readonly element: HTMLElement;
  show(value: string, note?: string, mood?: string): void;
}

export function figure(label: string, about: string): Figure {
  const value = el('b');
  const note = el('small');
  const element = el('div', { class: 'tile', title: about }, el('span', {}, label), value, note);
  return {
    element,
    show: (next, noteText = '', mood = '') => {
      setText(value, next);
      setText(note, noteText);
      setClass(element, `tile ${mood}`);
    },
  };
}

/** Name and value, one under the other. */
export function facts(rows: readonly (readonly [name: string, value: string | Node])[]): HTMLElement {
  return el('dl', { class: 'facts' }, ...rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

export const empty = (text: string): HTMLElement => el('p', { class: 'empty' }, text);
