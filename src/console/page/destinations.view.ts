// Every destination with its circuit, its ramp and what waits there; one can be paused and resumed.
import type { DestinationList, DestinationRow, FailureRow, Sample } from './answers.js';
import { pathOf } from './api.js';
import { ask, openDialog } from './dialog.js';
import { button, el, link, place, type Row, setText } from './dom.js';
import { ago, count, many, rate, until } from './format.js';
import { chip, empty, facts, gateOf, meter, pauseOf, showRamp, stateOf } from './parts.js';
import type { OpenView, Page } from './view.js';
import { VirtualList } from './virtual-list.js';

const rowHeight = 44;
/** Until somebody who types is asked for. */
const typingMs = 200;

const trouble = ['open', 'recovering', 'held', 'growing', 'warming up'];

/** Each row with how bad it is, found once. */
interface Judged {
  readonly row: DestinationRow;
  readonly severity: number;
}

const sorts: Readonly<Record<string, (a: Judged, b: Judged) => number>> = {
  trouble: (a, b) => a.severity - b.severity || byName(a, b),
  name: byName,
  waiting: (a, b) => b.row.pending - a.row.pending || byName(a, b),
  failing: (a, b) => b.row.failedPerSecond - a.row.failedPerSecond || byName(a, b),
  busiest: (a, b) => b.row.endedPerSecond - a.row.endedPerSecond || byName(a, b),
};

/** The address may name one, which is then opened. */
export const openDestinations: OpenView = (page, rest) => {
  let list: DestinationList = { total: 0, rows: [] };
  let sort = 'trouble';
  let typing: number | undefined;
  let wanted = rest.length === 3 ? keyOfParts(rest) : null;
  const search = el('input', {
    attrs: {
      type: 'search',
      placeholder: 'Filter by name',
      'aria-label': 'filter destinations by name',
      value: rest[2] ?? '',
    },
  });
  const order = el(
    'select',
    { attrs: { 'aria-label': 'order' } },
    ...Object.keys(sorts).map((name) => el('option', { attrs: { value: name } }, orderLabel(name))),
  );
  const counted = el('span', { class: 'muted' });
  const rows = new VirtualList<DestinationRow>({
    label: 'destinations',
    rowHeight,
    keyOf,
    makeRow: () => destinationRow(page),
    open: (row) => openDetail(page, row),
  });
  const show = () => {
    const match = search.value.toLowerCase();
    const shown = list.rows.filter(({ destination }) => destination.toLowerCase().includes(match));
    const judged = shown.map((row) => ({ row, severity: severity(row) })).toSorted(sorts[sort]);
    rows.show(judged.map(({ row }) => row));
    const left = list.total - list.rows.length;
    setText(
      counted,
      `${many(shown.length, 'destination', 'destinations')}${left > 0 ? `, ${count(left)} more: name a part of the one you look for` : ''}`,
    );
    const named = list.rows.find((row) => keyOf(row) === wanted);
    if (named !== undefined) openDetail(page, named);
    wanted = null;
  };
  search.addEventListener('input', () => {
    clearTimeout(typing);
    if (list.total > 0) show();
    // The listener has more of them than it sends.
    typing = setTimeout(() => page.listDestinations(search.value), typingMs);
  });
  order.addEventListener('change', () => {
    sort = order.value;
    show();
  });
  page.listDestinations(search.value);
  return {
    element: el(
      'section',
      { class: 'panel fill' },
      el('header', {}, el('h2', {}, 'Destinations'), counted, el('div', { class: 'tools' }, search, order)),
      el(
        'div',
        { class: 'destination head', attrs: { 'aria-hidden': 'true' } },
        ...['State', 'Destination', 'Ramp', 'Pending', 'In flight', 'Ended /s', 'Failed /s', 'Next'].map((title) =>
          el('span', {}, title),
        ),
      ),
      rows.element,
    ),
    destinations: (next) => {
      list = next;
      show();
    },
    focus: () => rows.element.focus(),
    close: () => {
      clearTimeout(typing);
      rows.close();
      page.listDestinations(null);
    },
  };
};

const orderLabel = (name: string) =>
  ({ trouble: 'Trouble first', name: 'By name', waiting: 'Most waiting', failing: 'Most failing', busiest: 'Busiest' })[
    name
  ] ?? name;

const keyOf = ({ topic, groupId, destination }: DestinationRow) => keyOfParts([topic, groupId, destination]);
const keyOfParts = (parts: readonly string[]) => parts.join('\n');

function byName({ row: a }: Judged, { row: b }: Judged): number {
  if (a.destination !== b.destination) return a.destination < b.destination ? -1 : 1;
  return a.groupId < b.groupId ? -1 : 1;
}

function severity(row: DestinationRow): number {
  if (row.states.length === 0) return trouble.length;
  const at = trouble.indexOf(stateOf(row, false));
  return at === -1 ? trouble.length : at;
}

function pausedOf(sample: Sample | null, { topic, groupId, destination }: DestinationRow): boolean {
  const subscription = sample?.subscriptions.find((one) => one.topic === topic && one.groupId === groupId);
  return pauseOf(subscription?.paused ?? [], destination) !== undefined;
}

function destinationRow(page: Page): Row<DestinationRow> {
  const state = chip();
  const name = el('b', { class: 'name' });
  const where = el('small');
  const ramp = meter('admitted rate');
  const cells = [0, 1, 2, 3, 4].map(() => el('span', { class: 'number' }));
  const element = el(
    'div',
    { class: 'destination' },
    state.element,
    el('span', { class: 'grow' }, name, where),
    el('span', {}, ramp.element),
    ...cells,
  );
  return {
    element,
    update: (row) => {
      const word = stateOf(row, pausedOf(page.newest, row));
      const gate = gateOf(row, word);
      state.show(word, gate?.reason);
      setText(name, row.destination);
      name.title = row.destination;
      setText(where, `${row.topic} / ${row.groupId}`);
      showRamp(ramp, gate);
      const left = gate?.nextChange == null ? '' : until(gate.nextChange, page.newest?.at ?? Date.now());
      const texts = [
        count(row.pending),
        count(row.inFlight),
        rate(row.endedPerSecond),
        rate(row.failedPerSecond),
        left,
      ];
      for (const [i, cell] of cells.entries()) setText(cell, texts[i] ?? '');
      cells[3]?.classList.toggle('failing', row.failedPerSecond > 0);
    },
  };
}

function openDetail(page: Page, row: DestinationRow): void {
  const { topic, groupId, destination } = row;
  const now = page.newest?.at ?? Date.now();
  const isPaused = pausedOf(page.newest, row);
  const states = row.states.map((gate) => {
    const state = chip();
    state.show(gate.state);
    const ramp = meter('admitted rate');
    showRamp(ramp, gate);
    const next = gate.nextChange === null ? '' : until(gate.nextChange, now);
    const times = `since ${ago(gate.since, now)}${next === '' ? '' : `, next change in ${next}`}`;
    return el(
      'div',
      { class: 'row' },
      state.element,
      el('div', { class: 'grow' }, el('span', {}, gate.reason), el('small', {}, times)),
      ramp.element,
    );
  });
  const failures = (page.newest?.failures ?? []).filter(
    (one) => keyOfParts([one.topic, one.groupId, one.destination]) === keyOf(row),
  );
  const act = isPaused
    ? button('Resume', 'primary', () => order(page, row, 'resume'))
    : button('Pause…', '', () => {
        dialog.close();
        ask(
          {
            title: `Pause ${destination}?`,
            text: 'No new attempt goes there from this subscription until it is resumed, also through restarts. Calls are still taken and stored.',
            yes: 'Pause',
          },
          () => send(page, row, 'pause'),
        );
      });
  const order = (to: Page, at: DestinationRow, kind: 'resume') => {
    void send(to, at, kind).then(() => dialog.close());
  };
  const dialog = openDialog(
    destination,
    facts([
      ['Subscription', `${topic} / ${groupId}`],
      ['Pending', `${count(row.pending)}: ${count(row.ready)} ready or held, ${count(row.inFlight)} in flight`],
      ['Pace', `${rate(row.endedPerSecond)} deliveries ended, ${rate(row.failedPerSecond)} attempts failed a second`],
      ['Held back', row.hold === null ? 'no' : row.hold.detail],
    ]),
    el('div', { class: 'rows' }, ...states),
    el('h3', {}, 'Recent failures there'),
    failures.length === 0 ? empty('None is remembered.') : el('div', { class: 'rows' }, ...failures.map(drawnFailure)),
    el('div', { class: 'actions' }, act),
  );
  dialog.addEventListener('close', () => {
    // What the address named is not opened again.
    if (location.hash.startsWith('#/destinations/')) history.replaceState(null, '', place('destinations'));
  });
}

function drawnFailure({ kind, detail, count: times, last, lastId }: FailureRow): HTMLElement {
  return el(
    'div',
    { class: 'row' },
    chip(kind).element,
    el('div', { class: 'grow' }, el('span', { title: detail }, detail), el('small', {}, ago(last, Date.now()))),
    el('b', { class: 'times' }, `${count(times)}×`),
    link(place('message', lastId), 'newest', 'button'),
  );
}

const send = (page: Page, { topic, groupId, destination }: DestinationRow, kind: 'pause' | 'resume') =>
  page.api.post(`subscriptions/${pathOf(topic, groupId)}/${kind}?destination=${encodeURIComponent(destination)}`);
