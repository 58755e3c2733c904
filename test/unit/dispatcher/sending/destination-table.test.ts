// Which destinations are kept, and who counts as a peer.
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import type { Destination } from '#src/dispatcher/sending/destination.js';
import { DestinationTable } from '#src/dispatcher/sending/destination-table.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { newGates } from '../../../support/gates.js';
import { busy } from '../../../support/outcomes.js';
import { fixed, newSubscription, perSecond } from '../../../support/subscription.js';

const maxKept = 16_384;

let clock: FakeClock;
let table: DestinationTable;

beforeEach(() => newTable());

function newTable(changes: Partial<SubscriptionSettings> = {}): void {
  clock = new FakeClock(1_000_000);
  table = new DestinationTable({
    subscription: newSubscription(changes),
    clock,
    gates: newGates(clock),
    wake: () => undefined,
  });
}

const use = (name: string) => table.release(table.take(name));

describe('keeping', () => {
  test('no more than 16,384 that nothing waits for, and the least recently used goes first', () => {
    for (let i = 0; i < maxKept; i += 1) use(`d${i}`);
    use('d0');
    const second = table.find('d1');
    expect(table.size).toBe(maxKept);
    use('new');
    expect(table.size).toBe(maxKept);
    expect(table.find('d1')).toBeUndefined();
    expect(table.find('d0')).toBeDefined();
    expect(table.take('d1')).not.toBe(second);
  });

  test('one that something waits for never goes, however many there are', () => {
    const underWay = Array.from({ length: maxKept + 500 }, (_, i) => table.take(`busy${i}`));
    for (let i = 0; i < 100; i += 1) use(`idle${i}`);
    expect(table.size).toBe(maxKept + 500);
    for (const destination of underWay) expect(table.find(destination.name)).toBe(destination);
    for (const destination of underWay) table.release(destination);
    expect(table.size).toBe(maxKept);
  });

  test('whatever is taken and released: the busy stay, and the others are at most 16,384', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 24_000 }), fc.boolean()), {
      minLength: 20_000,
      maxLength: 36_000,
      size: 'max',
    });
    fc.assert(
      fc.property(steps, (all) => {
        newTable();
        const taken: Destination[] = [];
        for (const [n, take] of all) {
          if (take) taken.push(table.take(`d${n}`));
          else if (taken.length > 0) table.release(taken.splice(n % taken.length, 1)[0] as Destination);
          else use(`d${n}`);
        }
        const underWay = new Set(taken);
        for (const destination of underWay) expect(table.find(destination.name)).toBe(destination);
        expect(table.size).toBeLessThanOrEqual(Math.max(maxKept, underWay.size));
        for (const destination of taken) table.release(destination);
        for (const destination of table) expect(destination.pending).toBe(0);
      }),
      { numRuns: 5 },
    );
  });

  test('one whose gates remember something outlasts those that remember nothing; of such alone no more are kept', () => {
    const askToWait = (name: string) => {
      const destination = table.take(name);
      const entry = destination.row.enter({ isRetry: false, firstsWait: false }, undefined as never);
      if ('hold' in entry) throw new Error(`held by ${entry.hold.reason}`);
      for (const pass of entry.passes) pass.settle(busy(503, 3_600_000));
      table.release(destination);
      return destination;
    };
    const first = askToWait('first');
    for (let i = 0; i < 2 * maxKept; i += 1) use(`d${i}`);
    expect(table.find('first') === first).toBe(true);
    expect(table.size).toBe(maxKept);
    for (let i = 0; i < maxKept + 100; i += 1) askToWait(`told${i}`);
    expect(table.size).toBe(maxKept);
  });

  test('close forgets them all', () => {
    use('a');
    table.take('b');
    table.close();
    expect([...table]).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('settings', () => {
  test('a named destination has its own limits, every other one the common ones', () => {
    const limits = (max: number) => ({ rate: perSecond(1000), concurrency: fixed(max) });
    newTable({ destination: limits(2), destinations: [{ name: 'shop', origins: ['http://a.example'], ...limits(3) }] });
    // Beside others a destination has no more than half of 10.
    const passes = (name: string) => {
      const { row } = table.take(name);
      let passed = 0;
      while (passed < 100 && 'passes' in row.enter({ isRetry: false, firstsWait: true }, undefined as never))
        passed += 1;
      return passed;
    };
    expect([passes('shop'), passes('http://b.example'), passes('http://c.example')]).toEqual([3, 2, 2]);
  });
});

describe('peers', () => {
  const hasPeers = (name: string) => {
    const destination = table.find(name);
    if (destination === undefined) throw new Error(`${name} is not known`);
    return table.hasPeers(destination);
  };

  test('nobody has any alone, however often it is used', () => {
    for (let i = 0; i < 50; i += 1) {
      use('a');
      expect(hasPeers('a')).toBe(false);
      clock.advance(1000);
    }
  });

  test('are others that were used in this period of 10 s or the one before', () => {
    use('a');
    use('b');
    expect(hasPeers('a')).toBe(true);
    clock.advance(10_000);
    use('a');
    expect(hasPeers('a')).toBe(true);
    clock.advance(10_000);
    use('a');
    expect(hasPeers('a')).toBe(false);
    expect(hasPeers('b')).toBe(true);
  });

  test('are also others with a delivery under way, however long that takes', () => {
    table.take('slow');
    use('a');
    clock.advance(100_000);
    use('a');
    expect(hasPeers('a')).toBe(true);
  });

  test('as a plain list of all uses says', () => {
    const aStep = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 12_000 }));
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 60, size: 'max' }), (steps) => {
        newTable();
        const uses: { name: string; period: number }[] = [];
        for (const [name, waitMs] of steps) {
          clock.advance(waitMs);
          const period = Math.floor(clock.elapsedMs() / 10_000);
          use(name);
          uses.push({ name, period });
          const ofLate = new Set(uses.filter((one) => one.period >= period - 1).map((one) => one.name));
          expect(hasPeers(name)).toBe(ofLate.size > 1);
        }
      }),
    );
  });
});
