// Ten thousand endpoints in one group: an attempt asks one of them, whoever is held is not asked again, and who comes or goes concerns nobody else.
import { beforeEach, expect, test } from 'vitest';
import type { Gates, Leave, Row } from '#src/dispatcher/gates.js';
import { EndpointGroup } from '#src/dispatcher/sending/endpoint-group.js';
import type { Delivery } from '#src/message/delivery.js';
import type { Candidate, GateScope, Hold } from '#src/policy/policy.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { newSubscription } from '../../../support/subscription.js';

const count = 10_000;
const first: Candidate = { isRetry: false, firstsWait: true };
const endpoints = Array.from({ length: count }, (_, i) => ({
  url: `http://r${i}.example/`,
  weight: 1,
  warmupMs: null,
}));

/** Lets everybody pass, unless told otherwise; counts what it is asked. */
class CountedRow implements Row {
  readonly lookAhead = 1;
  readonly isAtRest = true;
  asked = 0;
  adjusted = 0;
  hold: Hold | null = null;
  isClosed = false;

  constructor(readonly scope: GateScope) {}

  enter(): Leave {
    this.asked += 1;
    return this.hold === null ? { passes: [] } : { hold: this.hold };
  }
  adjust(): void {
    this.adjusted += 1;
  }
  states(): [] {
    return [];
  }
  figures(): [] {
    return [];
  }
  close(): void {
    this.isClosed = true;
  }
}

let clock: FakeClock;
let rows: CountedRow[];

beforeEach(() => {
  clock = new FakeClock(1000);
  rows = [];
});

function group(choice: 'round-robin' | 'least-in-flight' | 'sticky'): EndpointGroup {
  const subscription = newSubscription({ endpoints, choice });
  const openDestination = (scope: GateScope) => {
    const row = new CountedRow(scope);
    rows.push(row);
    return row;
  };
  const scope: GateScope = {
    subscription,
    destination: { rate: null, concurrency: null },
    name: '@endpoints',
    hasPeers: () => false,
    wake: () => undefined,
  };
  return new EndpointGroup({ clock, gates: { openDestination } as unknown as Gates, scope });
}

const deliveryOf = (key: string | null, endpoint: string | null = null) =>
  ({
    attempt: endpoint === null ? 1 : 2,
    endpoint,
    source: { key: key === null ? null : Buffer.from(key) },
  }) as unknown as Delivery;

const asked = () => rows.reduce((sum, row) => sum + row.asked, 0);

function mustPass(leave: Leave): string {
  if ('hold' in leave) throw new Error(leave.hold.detail);
  return leave.endpoint?.name ?? '';
}

test.each(['round-robin', 'least-in-flight', 'sticky'] as const)('%s: each attempt asks one endpoint', (choice) => {
  const many = group(choice);
  const chosen = new Set<string>();
  const attempts = 2000;
  for (let i = 0; i < attempts; i += 1) chosen.add(mustPass(many.enter(first, deliveryOf(`k${i}`))));
  expect(asked()).toBe(attempts);
  // In turn each another one; of a key's own some have two.
  expect(chosen.size).toBeGreaterThan(choice === 'sticky' ? 1500 : attempts - 1);
});

test.each(['round-robin', 'least-in-flight', 'sticky'] as const)('%s: who is held is asked once', (choice) => {
  const many = group(choice);
  for (const row of rows.slice(1)) row.hold = { reason: 'circuit', untilMs: null, detail: 'open' };
  for (let i = 0; i < 1000; i += 1) expect(mustPass(many.enter(first, deliveryOf('k')))).toBe(endpoints[0]?.url);
  const [well] = rows;
  if (well !== undefined) well.hold = { reason: 'retry-after', untilMs: 5000, detail: 'left alone' };
  const held = many.enter(first, deliveryOf('k'));
  expect(held).toMatchObject({ hold: { reason: 'retry-after', untilMs: 5000 } });
  const before = asked();
  expect(before).toBeLessThanOrEqual(count + 1001);
  for (let i = 0; i < 100; i += 1) expect(many.enter(first, deliveryOf('k'))).toMatchObject(held);
  expect(asked()).toBe(before);
  // One comes back.
  const back = rows[777];
  if (back !== undefined) back.hold = null;
  back?.scope.wake();
  expect(mustPass(many.enter(first, deliveryOf('k')))).toBe(endpoints[777]?.url);
  expect(asked()).toBe(before + 1);
});

test.each(['round-robin', 'least-in-flight', 'sticky'] as const)(
  '%s: a retry goes elsewhere, and asks one',
  (choice) => {
    const many = group(choice);
    for (let i = 0; i < 100; i += 1) {
      const failed = mustPass(many.enter(first, deliveryOf('k')));
      expect(mustPass(many.enter({ ...first, isRetry: true }, deliveryOf('k', failed)))).not.toBe(failed);
    }
    expect(asked()).toBe(200);
  },
);

test('retries past their budget do not ask everybody', () => {
  const many = group('round-robin');
  for (const row of rows) row.hold = { reason: 'budget', untilMs: null, detail: 'used up' };
  expect(many.enter({ ...first, isRetry: true }, deliveryOf(null))).toMatchObject({ hold: { reason: 'budget' } });
  expect(asked()).toBeLessThan(100);
  for (const row of rows) row.hold = null;
  expect(mustPass(many.enter(first, deliveryOf(null)))).not.toBe('');
});

test('one that comes, goes or weighs more concerns no other', () => {
  const many = group('round-robin');
  const change = (next: typeof endpoints) =>
    many.adjust({
      subscription: newSubscription({ endpoints: next, choice: 'round-robin' }),
      destination: { rate: null, concurrency: null },
    });
  change([...endpoints, { url: 'http://new.example/', weight: 1, warmupMs: null }]);
  change(endpoints.slice(1));
  change(endpoints.map((one, i) => (i === 5 ? { ...one, weight: 3 } : one)));
  // The first one, which had gone, has come anew.
  expect(rows).toHaveLength(count + 2);
  expect(rows.filter(({ isClosed }) => isClosed).map(({ scope }) => scope.name)).toEqual([
    'http://r0.example',
    'http://new.example',
  ]);
  expect(rows.reduce((sum, row) => sum + row.adjusted, 0)).toBe(0);
  const counts = new Map<string, number>();
  for (let i = 0; i < count + 2; i += 1) {
    const name = mustPass(many.enter(first, deliveryOf(null)));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  expect(counts.get('http://r5.example/')).toBe(3);
  expect(counts.size).toBe(count);
});
