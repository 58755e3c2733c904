// Every subscription with its limits, its pace, its lag and what its messages wait for; each can be paused and resumed.
import type { Limits, SubscriptionRow } from './answers.js';
import { pathOf } from './api.js';
import { ask, messageOf, notice } from './dialog.js';
import { button, el, Keyed, link, place, type Row, setText } from './dom.js';
import { count, duration, many, maybeDuration, moment, rate, short } from './format.js';
import { backlogBar, chip, facts, figure, pauseOf } from './parts.js';
import type { OpenView, Page } from './view.js';

export const openSubscriptions: OpenView = (page) => {
  const element = el('div', { class: 'cards' });
  const rows = new Keyed<SubscriptionRow>(
    element,
    ({ topic, groupId }) => `${topic} ${groupId}`,
    (row) => card(page, row),
  );
  return { element, sample: ({ subscriptions }) => rows.show(subscriptions) };
};

function card(page: Page, { topic, groupId }: SubscriptionRow): Row<SubscriptionRow> {
  const name = `${topic} / ${groupId}`;
  const state = chip();
  const paused = el('p', { class: 'muted' });
  const act = button('', '', () => undefined);
  const tiles = {
    arriving: figure('Arriving', 'stored a second in its topic'),
    delivered: figure('Delivered', 'a second'),
    failing: figure('Failing', 'attempts a second'),
    latency: figure('Time to deliver', 'half of the last ten seconds’ deliveries took no longer'),
    attempt: figure('Receiver’s answer', 'half of the last ten seconds’ attempts took no longer'),
    lag: figure(
      'Lag',
      'from the committed mark to the end of the topic; one message that waits holds the mark, those behind it may long be delivered',
    ),
  };
  const bar = backlogBar();
  const limits = el('div', { class: 'limits' });
  let shownLimits = '';
  const letters = link(place('dead-letters', topic, groupId), '', 'button');
  const destinations = link(place('destinations'), '', 'button');
  const element = el(
    'section',
    { class: 'panel card' },
    el('header', {}, el('h2', {}, name), state.element, el('div', { class: 'tools' }, destinations, letters, act)),
    paused,
    el('div', { class: 'tiles' }, ...Object.values(tiles).map((tile) => tile.element)),
    bar.element,
    limits,
  );
  return {
    element,
    update: (row) => {
      const whole = pauseOf(row.paused, null);
      const word =
        whole === undefined
          ? row.destinations.open > 0
            ? 'circuit open'
            : row.destinations.recovering > 0
              ? 'recovering'
              : 'closed'
          : 'paused';
      state.show(word === 'closed' ? 'running' : word);
      paused.hidden = row.paused.length === 0;
      setText(
        paused,
        row.paused
          .map(({ destination, since }) => `${destination ?? 'All of it'} is paused since ${moment(since, Date.now())}`)
          .join(' · '),
      );
      setText(act, whole === undefined ? 'Pause…' : 'Resume');
      act.onclick = () => (whole === undefined ? askToPause(page, row) : void resume(page, row));
      tiles.arriving.show(rate(row.arrivedPerSecond), 'a second');
      tiles.delivered.show(rate(row.deliveredPerSecond), 'a second');
      tiles.failing.show(rate(row.failedPerSecond), 'attempts a second', row.failedPerSecond > 0 ? 'bad' : '');
      tiles.latency.show(maybeDuration(row.delivery.p50), `99 %: ${maybeDuration(row.delivery.p99)}`);
      tiles.attempt.show(maybeDuration(row.attempt.p50), `99 %: ${maybeDuration(row.attempt.p99)}`);
      tiles.lag.show(short(row.lag), 'from its oldest unsettled on');
      bar.show(row.backlog);
      const { total, open, recovering } = row.destinations;
      setText(
        destinations,
        `${many(total, 'destination', 'destinations')}${open > 0 ? `, ${open} open` : ''}${recovering > 0 ? `, ${recovering} recovering` : ''}`,
      );
      setText(
        letters,
        row.deadLetters === null ? 'no dead letters kept' : many(row.deadLetters, 'dead letter', 'dead letters'),
      );
      const next = JSON.stringify(row.limits);
      if (next !== shownLimits) limits.replaceChildren(limitFacts(row.limits));
      shownLimits = next;
    },
  };
}

function limitFacts(limits: Limits): HTMLElement {
  const { rate: all, concurrency, timeoutMs, retries, ordering, poison, circuit, warmupMs, destination } = limits;
  const range = ({ min, max }: { min: number; max: number }) =>
    min === max ? count(max) : `${count(min)} to ${count(max)}, adaptive`;
  const each = [
    destination.rate === null ? '' : `${rate(destination.rate.perSecond)}/s`,
    destination.concurrency === null ? '' : `${range(destination.concurrency)} in flight`,
  ].filter(Boolean);
  return facts([
    ['Rate', `${rate(all.perSecond)}/s, burst ${count(all.burst)}`],
    ['Concurrency', range(concurrency)],
    ['Each destination', each.length === 0 ? 'no limits of its own' : each.join(', ')],
    ['Timeout', duration(timeoutMs)],
    ['Retries', count(retries)],
    ['Order', `${ordering}, a poisoned key: ${poison}`],
    [
      'Circuit',
      circuit === null
        ? 'none'
        : `opens below ${Math.round(circuit.healthRate * 100)} %, rests ${duration(circuit.breakPeriodMs)}, recovers over ${duration(circuit.recoverPeriodMs)}`,
    ],
    ['Warm-up', warmupMs === 0 ? 'none' : duration(warmupMs)],
  ]);
}

function askToPause(page: Page, { topic, groupId }: SubscriptionRow): void {
  ask(
    {
      title: `Pause ${topic} / ${groupId}?`,
      text: 'No new attempt is made for this subscription until it is resumed, also through restarts. Calls are still taken and stored, and wait.',
      yes: 'Pause',
    },
    () => page.api.post(`subscriptions/${pathOf(topic, groupId)}/pause`),
  );
}

async function resume(page: Page, { topic, groupId }: SubscriptionRow): Promise<void> {
  try {
    await page.api.post(`subscriptions/${pathOf(topic, groupId)}/resume`);
    notice(`${topic} / ${groupId} goes on`);
  } catch (error) {
    notice(messageOf(error), true);
  }
}
