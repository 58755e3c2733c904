// The pure parts of the page: what it says of figures and times, how it cuts a stream, what it calls wrong.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hexOf, jsonOf, textOf } from '#src/console/page/body-text.js';
import { CurveStore } from '#src/console/page/curve-store.js';
import { EventParser } from '#src/console/page/event-parser.js';
import { ago, bytes, duration, many, rate, short, until } from '#src/console/page/format.js';
import { reasons, waiting } from '#src/console/page/reasons.js';
import { findings } from '#src/console/page/verdict.js';
import { emptyCounts } from '#src/dispatcher/view/backlog.js';

type Sample = Parameters<typeof findings>[0];
type Subscription = Sample['subscriptions'][number];

const none = { p50: null, p99: null };
const subscription = (changes: Partial<Subscription> = {}): Subscription => ({
  topic: 'test',
  groupId: 'G1',
  limits: {} as Subscription['limits'],
  paused: [],
  lag: 0,
  backlog: emptyCounts(),
  arrivedPerSecond: 0,
  deliveredPerSecond: 0,
  failedPerSecond: 0,
  delivery: none,
  attempt: none,
  destinations: { total: 0, open: 0, recovering: 0 },
  deadLetters: 0,
  redrive: null,
  ...changes,
});

interface Changes {
  readonly at?: number;
  readonly broker?: Sample['broker'];
  readonly config?: Partial<Sample['config']>;
  readonly total?: Partial<Sample['total']>;
  readonly subscriptions?: readonly Subscription[];
}

const sample = ({
  at = 1_700_000_000_000,
  broker,
  config,
  total,
  subscriptions = [subscription()],
}: Changes = {}): Sample => ({
  at,
  process: { pid: 1, driver: 'embedded', uptimeSeconds: 1, cpuShare: 0, rssBytes: 1 },
  broker: broker ?? { ok: true, detail: 'open' },
  config: { version: 1, loadedAt: '', lastError: null, pendingRestart: 0, ...config },
  subscriptions,
  troubled: [],
  failures: [],
  total: {
    arrivedPerSecond: 0,
    deliveredPerSecond: 0,
    failedPerSecond: 0,
    delivery: none,
    attempt: none,
    backlog: emptyCounts(),
    deadLetters: 0,
    ...total,
  },
});

const said = (changes: Changes, before: number | null = null) =>
  findings(sample(changes), before).map(({ level, text }) => `${level}: ${text}`);

test('every word of the backlog is drawn, and nothing else', () => {
  expect(reasons.map(({ name }) => name).toSorted()).toEqual(Object.keys(emptyCounts()).toSorted());
});

describe('the verdict', () => {
  test('all is well where nothing is wrong', () => {
    expect(said({})).toEqual(['well: All is well. Nothing waits.']);
    const backlog = { ...emptyCounts(), inFlight: 1 };
    expect(said({ total: { deliveredPerSecond: 12, arrivedPerSecond: 12, backlog } })).toEqual([
      'well: All is well. 12 delivered a second, 1 message is on the way.',
    ]);
  });

  test('the worst comes first, and says how many wait for it', () => {
    const backlog = { ...emptyCounts(), circuit: 1, overflow: 1500 };
    const sick = subscription({ destinations: { total: 9, open: 2, recovering: 1 } });
    const paused = subscription({ groupId: 'G2', paused: [{ destination: null, since: '2026-11-21T14:00:00Z' }] });
    const found = said({ subscriptions: [paused, sick], total: { backlog, deadLetters: 1 } });
    expect(found).toEqual([
      'bad: 2 destinations do not answer: circuit open, 1,501 messages wait',
      'warn: 1 destination is recovering',
      'warn: 1 dead letter',
      expect.stringContaining('warn: test / G2 is paused since'),
    ]);
  });

  test('a log that is full or does not work is worst', () => {
    expect(said({ broker: { ok: false, detail: 'Kafka does not answer' } })).toEqual([
      'bad: The log does not work: Kafka does not answer',
    ]);
    expect(said({ broker: { ok: true, detail: 'full: calls are refused until there is room' } })[0]).toContain('bad');
  });

  test('deliveries that fall behind are told; what waits for its time, and what was as much before, is not', () => {
    const backlog = { ...emptyCounts(), unread: 5000, delayed: 9000 };
    expect(said({ total: { backlog } }, 3000)).toEqual([
      'warn: Deliveries fall behind: 5,000 wait, 2,000 more than a minute ago',
    ]);
    for (const before of [null, 5000, 4900]) expect(said({ total: { backlog } }, before)[0]).toContain('well');
  });

  test('a refused file is told, and what waits for a restart beside all being well', () => {
    const lastError = { since: '2026-11-21T14:00:00Z', faults: ['x'] };
    expect(said({ config: { lastError } })[0]).toContain('warn: The configuration is not in force as it stands');
    expect(said({ config: { pendingRestart: 2 } }).map((text) => text.slice(0, 4))).toEqual(['well', 'info']);
  });
});

test('a stream is cut into its events wherever the network cut it', () => {
  const events = [
    { name: 'sample', data: '{"a":1}' },
    { name: 'message', data: 'é\n𝒳' },
    { name: 'curves', data: '' },
  ];
  const text =
    'event: sample\ndata: {"a":1}\n\ndata: é\ndata: 𝒳\n\n: nothing\n\nevent: curves\ndata: \n\nevent: cut\ndata: of';
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const parser = new EventParser();
      const ends = [0, ...cuts.toSorted((a, b) => a - b), text.length];
      const found = ends.flatMap((end, i) => parser.push(text.slice(ends[i - 1] ?? 0, end)));
      expect(found).toEqual(events);
    }),
  );
});

test('figures and times as people read them', () => {
  expect([0, 0.44, 9.96, 12.4, 4980, 12_540].map(rate)).toEqual(['0', '0.4', '10.0', '12', '4,980', '12.5k']);
  expect([999, 10_000, 123_456, 4_000_000, 2e9].map(short)).toEqual(['999', '10k', '123k', '4M', '2G']);
  expect([3.2, 999, 1200, 42_000, 245_000, 3_600_000, 183_000_000].map(duration)).toEqual([
    '3 ms',
    '999 ms',
    '1.2 s',
    '42 s',
    '4 min 5 s',
    '1 h',
    '2 d 2 h',
  ]);
  expect([0, 1023, 1536, 3 * 1_048_576].map(bytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '3 MiB']);
  const now = Date.parse('2026-11-21T14:00:00Z');
  expect(ago('2026-11-21T13:59:59.900Z', now)).toBe('now');
  expect(ago('2026-11-21T12:00:00Z', now)).toBe('2 h ago');
  expect(until('2026-11-21T14:00:10Z', now)).toBe('10 s');
  expect(until('2026-11-21T13:00:10Z', now)).toBe('');
  expect([many(1, 'letter', 'letters'), many(1200, 'letter', 'letters')]).toEqual(['1 letter', '1,200 letters']);
});

test('a body as text, as JSON, and byte by byte', () => {
  const body = new TextEncoder().encode('{"a":[1]}');
  expect(jsonOf(body)).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(jsonOf(new TextEncoder().encode('<b>'))).toBeNull();
  expect(textOf(Uint8Array.of(0xff, 0x41))).toBe('\ufffdA');
  expect(hexOf(Uint8Array.of(...body, 0, 1, 2, 3, 4, 5, 6, 7)).split('\n')).toEqual([
    '00000000  7b 22 61 22 3a 5b 31 5d 7d 00 01 02 03 04 05 06  {"a":[1]}.......',
    '00000010  07                                               .',
  ]);
});

test('curves go on where the listener left them, a quarter of an hour long, and know how many waited a minute ago', () => {
  const store = new CurveStore();
  const start = 1_700_000_000;
  const at = Array.from({ length: 900 }, (_, i) => start + i);
  store.begin({ at, 'backlog ready': at.map((_, i) => i), 'backlog delayed': at.map(() => 7) });
  store.add(sample({ at: (start + 899) * 1000 }));
  expect(store.columns['at']).toHaveLength(900);
  expect(store.waitedAMinuteAgo).toBe(839);
  store.add(sample({ at: (start + 900) * 1000, total: { deadLetters: 3 } }));
  expect(store.columns['at']?.at(-1)).toBe(start + 900);
  expect(Object.values(store.columns).map(({ length }) => length)).toEqual(Object.keys(store.columns).map(() => 900));
  expect(new CurveStore().waitedAMinuteAgo).toBeNull();
  expect(waiting({ ready: 2, inFlight: 1 })).toBe(3);
});
