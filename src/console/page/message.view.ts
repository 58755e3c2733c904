// One message: where it is in each subscription, what it waits for, and how its attempts ended.
import type { Attempt, Explanation } from './answers.js';
import { messageOf } from './dialog.js';
import { el, link, place } from './dom.js';
import { ago, duration, moment, until } from './format.js';
import { chip, empty, facts } from './parts.js';
import type { OpenView, Page } from './view.js';

const refreshMs = 2000;
const place3 = /^([A-Za-z0-9._-]+)\/(\d+)\/(\d+)$/;

/** The address names an id, or topic/partition/offset. */
export const openMessage: OpenView = (page, [wanted = '']) => {
  const input = el('input', {
    attrs: {
      type: 'search',
      value: wanted,
      placeholder: 'msg_… or topic/partition/offset',
      'aria-label': 'message id',
      spellcheck: 'false',
    },
  });
  const form = el('form', { class: 'lookup' }, input, el('button', { class: 'primary' }, 'Look up'));
  const found = el('div', { class: 'cards' });
  let closed = false;
  let timer: number | undefined;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    location.assign(place('message', input.value.trim()));
  });
  const look = async () => {
    try {
      found.replaceChildren(...(await read(page, wanted)));
    } catch (error) {
      found.replaceChildren(el('section', { class: 'panel' }, empty(messageOf(error))));
    }
    // It moves while it is looked at.
    if (!closed) timer = setTimeout(() => void look(), refreshMs);
  };
  if (wanted === '')
    found.append(
      el(
        'section',
        { class: 'panel' },
        empty(
          'By its id, as bigpipe answered it and as the receiver gets it in bigpipe-message-id; or by topic/partition/offset.',
        ),
      ),
    );
  else void look();
  return {
    element: el(
      'div',
      { class: 'message' },
      el('section', { class: 'panel' }, el('header', {}, el('h2', {}, 'Where is a message?')), form),
      found,
    ),
    focus: () => input.focus(),
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
};

async function read(page: Page, wanted: string): Promise<readonly HTMLElement[]> {
  const [, topic, partition, offset] = place3.exec(wanted) ?? [];
  const query: Record<string, string> =
    topic === undefined ? { id: wanted } : { topic, partition: partition ?? '', offset: offset ?? '' };
  const { deliveries } = await page.api.get<{ deliveries: Explanation[] }>(`explain?${new URLSearchParams(query)}`);
  const id = deliveries.find((one) => one.id !== undefined)?.id;
  const { attempts } =
    id === undefined
      ? { attempts: [] }
      : await page.api.get<{ attempts: Attempt[] }>(`attempts?${new URLSearchParams({ id })}`);
  return deliveries.map((delivery) =>
    card(
      delivery,
      attempts.filter(({ topic: of, groupId }) => of === delivery.topic && groupId === delivery.groupId),
    ),
  );
}

function card(delivery: Explanation, attempts: readonly Attempt[]): HTMLElement {
  const {
    topic,
    groupId,
    state,
    id,
    destination,
    attempt,
    maxAttempts,
    estimate,
    since,
    waitingFor,
    deadLetter,
    aclName,
  } = delivery;
  const now = Date.now();
  const rows: (readonly [string, string | Node])[] = [
    ['Message', id ?? '–'],
    ['Stored', `${topic}/${delivery.partition}/${delivery.offset}`],
    ['Sent by', aclName ?? '–'],
    ['Destination', destination ?? '–'],
    ['Attempt', attempt === undefined ? '–' : `${attempt} of ${maxAttempts}`],
    ['Since', since === undefined ? '–' : `${moment(since, now)}, ${ago(since, now)}`],
    ['Next attempt', estimate === null ? '–' : `${moment(estimate, now)} at the earliest`],
  ];
  const known = rows.filter(([, value]) => value !== '–');
  return el(
    'section',
    { class: 'panel card', attrs: { 'data-test': 'delivery' } },
    el('header', {}, el('h2', {}, `${topic} / ${groupId}`), chip(state).element),
    facts(known),
    ...(waitingFor.length === 0 ? [] : [el('h3', {}, 'Why it waits'), waits(waitingFor, now)]),
    ...(deadLetter === undefined ? [] : [letter(deadLetter, topic, groupId)]),
    el('h3', {}, 'Attempts'),
    attempts.length === 0
      ? empty('None that failed is remembered. What is delivered at the first attempt is not noted.')
      : el('div', { class: 'rows' }, ...attempts.map(attemptRow)),
  );
}

function waits(waitingFor: Explanation['waitingFor'], now: number): HTMLElement {
  const rows = waitingFor.map(({ reason, detail, until: end }) =>
    el(
      'li',
      {},
      el('b', {}, reason),
      ` ${detail}`,
      end === null ? null : el('small', {}, until(end, now) === '' ? ' any moment' : ` ${until(end, now)} left`),
    ),
  );
  return el('ol', { class: 'waits' }, ...rows);
}

function letter(
  { history, offset }: NonNullable<Explanation['deadLetter']>,
  topic: string,
  groupId: string,
): HTMLElement {
  const when = (name: string) => (history[name] ? moment(history[name], Date.now()) : '');
  const rows: readonly (readonly [string, string])[] = [
    ['Why', [history['reason'], history['detail']].filter(Boolean).join(': ')],
    ['Last answer', history['answer'] ?? ''],
    ['Attempts', history['attempts'] ?? ''],
    ['First attempt', when('first-attempt')],
    ['Last attempt', when('last-attempt')],
    ['Letter', offset],
  ];
  return el(
    'div',
    {},
    el('h3', {}, 'Dead letter'),
    facts(rows.filter(([, value]) => value !== '')),
    el('p', {}, link(place('dead-letters', topic, groupId), 'Dead letters of the subscription', 'button')),
  );
}

function attemptRow({ attempt, kind, detail, answer, ended, durationMs, status }: Attempt): HTMLElement {
  const text = kind === 'delivered' ? `answered ${status}` : detail;
  return el(
    'div',
    { class: 'row' },
    el('b', { class: 'times' }, String(attempt)),
    chip(kind).element,
    el('div', { class: 'grow' }, el('span', {}, text), answer === '' ? null : el('small', { class: 'mono' }, answer)),
    el('small', { class: 'right' }, `${moment(ended, Date.now())} · took ${duration(durationMs)}`),
  );
}
