// What fails, where and how: one row for all failures that are alike, the newest first.
import type { FailureRow } from './answers.js';
import { el, Keyed, link, place, type Row, setText } from './dom.js';
import { ago, count } from './format.js';
import { chip, empty } from './parts.js';
import type { OpenView } from './view.js';

export const openFailures: OpenView = () => {
  const body = el('div', { class: 'rows' });
  const none = empty('Nothing has failed since bigpipe was started.');
  const rows = new Keyed<FailureRow>(body, keyOf, failureRow);
  return {
    element: el(
      'section',
      { class: 'panel' },
      el(
        'header',
        {},
        el('h2', {}, 'Recent failures'),
        el('small', { class: 'muted' }, 'alike ones are one row; counted since the start'),
      ),
      body,
      none,
    ),
    sample: ({ failures }) => {
      rows.show(failures);
      none.hidden = failures.length > 0;
    },
  };
};

const keyOf = (row: FailureRow) =>
  `${row.topic} ${row.groupId} ${row.destination} ${row.kind} ${row.status} ${row.first}`;

export function failureRow({ topic, groupId, destination }: FailureRow): Row<FailureRow> {
  const state = chip();
  const times = el('b', { class: 'times' });
  const detail = el('small');
  const when = el('small', { class: 'right' });
  const last = el('a', { class: 'mono', title: 'the newest message that failed so' });
  const name = link(place('destinations', topic, groupId, destination), destination, 'name');
  const element = el(
    'div',
    { class: 'row failure' },
    state.element,
    el('div', { class: 'grow' }, name, detail),
    times,
    el('div', { class: 'stackright' }, when, last),
  );
  return {
    element,
    update: (row) => {
      state.show(row.kind, row.kind === 'retry' ? 'is tried again' : 'goes to the dead letters at once');
      setText(times, `${count(row.count)}×`);
      setText(detail, `${row.detail} · ${row.topic} / ${row.groupId}`);
      setText(when, ago(row.last, Date.now()));
      setText(last, row.lastId);
      last.href = place('message', row.lastId);
    },
  };
}
