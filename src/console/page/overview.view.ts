// The first view: how much comes and goes, how long it takes, what waits, and what is in trouble.
import type { DestinationRow, FailureRow, Sample, SubscriptionRow } from './answers.js';
import { Chart } from './charts.js';
import { el, Keyed, link, place, type Row, setText } from './dom.js';
import { failureRow } from './failures.view.js';
import { count, duration, maybeDuration, rate, short, until } from './format.js';
import { backlogBar, chip, empty, figure, gateOf, meter, pauseOf, showRamp, stateOf } from './parts.js';
import { reasons, waiting } from './reasons.js';
import type { OpenView } from './view.js';

const maxFailures = 6;
const maxTroubled = 8;

export const openOverview: OpenView = () => {
  const tiles = newTiles();
  const charts = newCharts();
  const troubled = panel('Destinations in trouble', '#/destinations', 'All destinations answer.');
  const failures = panel('Recent failures', '#/failures', 'Nothing has failed.');
  const subscriptions = panel('Subscriptions', '#/subscriptions', 'None is configured.');
  const troubledRows = new Keyed<DestinationRow>(troubled.body, keyOfDestination, () => troubledRow(() => newest));
  const failureRows = new Keyed<FailureRow>(failures.body, keyOfFailure, failureRow);
  const subscriptionRows = new Keyed<SubscriptionRow>(
    subscriptions.body,
    ({ topic, groupId }) => `${topic} ${groupId}`,
    subscriptionRow,
  );
  let newest: Sample | null = null;
  return {
    element: el(
      'div',
      { class: 'overview' },
      tiles.element,
      el('div', { class: 'charts' }, ...charts.map(({ element }) => element)),
      el('div', { class: 'pair' }, troubled.element, failures.element),
      subscriptions.element,
    ),
    sample: (sample) => {
      newest = sample;
      tiles.show(sample);
      troubledRows.show(sample.troubled.slice(0, maxTroubled));
      failureRows.show(sample.failures.slice(0, maxFailures));
      subscriptionRows.show(sample.subscriptions);
      troubled.count(sample.troubled.length);
      failures.count(sample.failures.length);
      subscriptions.count(sample.subscriptions.length);
    },
    curves: (columns) => {
      for (const chart of charts) chart.show(columns);
    },
    close: () => {
      for (const chart of charts) chart.close();
    },
  };
};

function newTiles() {
  const arriving = figure('Arriving', 'Messages stored a second');
  const delivered = figure('Delivered', 'Deliveries a second, of all subscriptions');
  const failing = figure('Failing', 'Attempts a second that failed');
  const latency = figure(
    'Time to deliver',
    'From accepted, or due, until delivered: half of the last ten seconds’ deliveries took no longer',
  );
  const backlog = figure('Waiting', 'Messages that are stored and not settled, of all subscriptions');
  const letters = figure('Dead letters', 'Given up, and waiting for you');
  const all = [arriving, delivered, failing, latency, backlog, letters];
  const show = ({ total }: Sample) => {
    arriving.show(rate(total.arrivedPerSecond), 'a second');
    delivered.show(rate(total.deliveredPerSecond), 'a second');
    failing.show(rate(total.failedPerSecond), 'attempts a second', total.failedPerSecond > 0 ? 'bad' : '');
    latency.show(maybeDuration(total.delivery.p50), `99 %: ${maybeDuration(total.delivery.p99)}`);
    const left = waiting(total.backlog);
    backlog.show(short(left), `${count(total.backlog['inFlight'] ?? 0)} in flight`);
    letters.show(
      short(total.deadLetters),
      total.deadLetters === 0 ? 'none' : 'to look at',
      total.deadLetters > 0 ? 'warn' : '',
    );
  };
  return { element: el('div', { class: 'tiles' }, ...all.map(({ element }) => element)), show };
}

function newCharts(): readonly Chart[] {
  return [
    new Chart({
      title: 'Messages a second',
      about: 'The last quarter of an hour',
      stacked: false,
      figure: rate,
      tick: short,
      curves: [
        { name: 'arrived', label: 'arrived', hue: 'slate' },
        { name: 'delivered', label: 'delivered', hue: 'green' },
        { name: 'failed', label: 'failed', hue: 'red' },
      ],
    }),
    new Chart({
      title: 'Time to deliver',
      about: 'From accepted, or due, until delivered; and the receivers’ own share of it',
      stacked: false,
      figure: duration,
      tick: duration,
      curves: [
        { name: 'p50', label: 'half', hue: 'blue' },
        { name: 'p99', label: '99 %', hue: 'violet' },
        { name: 'attemptP99', label: 'receiver 99 %', hue: 'stone' },
      ],
    }),
    new Chart({
      title: 'What waits, and for what',
      about: 'Messages that are stored and not settled',
      stacked: true,
      figure: count,
      tick: short,
      curves: reasons.map(({ name, label, hue }) => ({ name: `backlog ${name}`, label, hue })),
    }),
  ];
}

function panel(title: string, to: string, nothing: string) {
  const body = el('div', { class: 'rows' });
  const none = empty(nothing);
  const element = el('section', { class: 'panel' }, el('header', {}, el('h2', {}, link(to, title))), body, none);
  return {
    element,
    body,
    count: (length: number) => {
      none.hidden = length > 0;
    },
  };
}

const keyOfDestination = ({ topic, groupId, destination }: DestinationRow) => `${topic} ${groupId} ${destination}`;
const keyOfFailure = (row: FailureRow) =>
  `${row.topic} ${row.groupId} ${row.destination} ${row.kind} ${row.status} ${row.first}`;

function troubledRow(newest: () => Sample | null): Row<DestinationRow> {
  const state = chip();
  const name = el('a', { class: 'name' });
  const about = el('small');
  const next = el('small', { class: 'right' });
  const ramp = meter('admitted rate');
  const element = el(
    'div',
    { class: 'row troubled' },
    state.element,
    el('div', { class: 'grow' }, name, about),
    ramp.element,
    next,
  );
  return {
    element,
    update: (row) => {
      const at = newest()?.at ?? Date.now();
      const paused =
        newest()?.subscriptions.find(({ topic, groupId }) => topic === row.topic && groupId === row.groupId)?.paused ??
        [];
      const word = stateOf(row, pauseOf(paused, row.destination) !== undefined);
      const gate = gateOf(row, word);
      state.show(word, gate?.reason);
      setText(name, row.destination);
      name.href = place('destinations', row.topic, row.groupId, row.destination);
      setText(
        about,
        [gate?.reason ?? row.hold?.detail ?? '', `${count(row.pending)} here`].filter(Boolean).join(' · '),
      );
      showRamp(ramp, gate);
      const left = gate?.nextChange == null ? '' : until(gate.nextChange, at);
      setText(next, left === '' ? '' : word === 'open' ? `probe in ${left}` : `${left} left`);
    },
  };
}

function subscriptionRow({ topic, groupId }: SubscriptionRow): Row<SubscriptionRow> {
  const figures = el('small', { class: 'right' });
  const bar = backlogBar();
  const state = chip();
  const name = link(place('subscriptions', topic, groupId), `${topic} / ${groupId}`, 'name');
  const element = el(
    'div',
    { class: 'row subscription' },
    el('div', { class: 'grow' }, name, state.element),
    bar.element,
    figures,
  );
  return {
    element,
    update: (row) => {
      state.element.hidden = row.paused.length === 0;
      state.show('paused');
      bar.show(row.backlog);
      setText(figures, `${rate(row.deliveredPerSecond)}/s · ${maybeDuration(row.delivery.p99)}`);
      figures.title = 'delivered a second · 99 % delivered within';
    },
  };
}
