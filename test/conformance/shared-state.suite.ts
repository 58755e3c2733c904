// Every promise of shared-state.ts as a test; each driver runs all of it, with no branch by driver.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SharedState } from '#src/shared-state/shared-state.js';
import { until } from '../support/until.js';

export interface SharedStateHarness {
  /** One that was not opened yet. */
  make(): SharedState | Promise<SharedState>;
  /** Lets time go by for values that are over after it. */
  pass(ms: number): void | Promise<void>;
}

const bytes = (text: string) => Buffer.from(text);
const minuteMs = 60_000;

export function sharedStateSuite(name: string, harness: SharedStateHarness): void {
  describe(`shared state: ${name}`, () => {
    let state: SharedState;

    beforeEach(async () => {
      state = await harness.make();
      await state.open();
    });

    afterEach(() => state.close());

    test('a value comes back byte for byte, until it is over', async () => {
      const value = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      await state.set('k', value, minuteMs);
      await state.set('short', value, 20);
      expect(await state.get('k')).toEqual(value);
      expect(await state.get('nobody set it')).toBeNull();
      await harness.pass(21);
      await until('it is over', async () => (await state.get('short')) === null);
      expect(await state.get('k')).toEqual(value);
    });

    test('a newer value takes the place of the older one, with its own time', async () => {
      await state.set('k', bytes('old'), 20);
      await state.set('k', bytes('new'), minuteMs);
      await harness.pass(21);
      expect(await state.get('k')).toEqual(bytes('new'));
      await state.set('k', bytes(''), minuteMs);
      expect(await state.get('k')).toEqual(bytes(''));
      await state.remove('k');
      await state.remove('k');
      expect(await state.get('k')).toBeNull();
    });

    test('of many who claim a key at once one gets it, and the others what that one said', async () => {
      const found = await Promise.all(Array.from({ length: 50 }, (_, i) => state.claim('k', bytes(`${i}`), minuteMs)));
      const winners = found.flatMap((other, i) => (other === null ? [`${i}`] : []));
      expect(winners.length).toBe(1);
      expect(new Set(found.filter((other) => other !== null).map(String))).toEqual(new Set(winners));
      expect(String(await state.get('k'))).toBe(winners[0]);
      await state.remove('k');
      expect(await state.claim('k', bytes('next'), 20)).toBeNull();
      await harness.pass(21);
      await until('it is over', async () => (await state.claim('k', bytes('last'), minuteMs)) === null);
    });

    test('who listens hears what is published from then on, in order; nobody else does', async () => {
      const [heard, other]: string[][] = [[], []];
      await state.publish('c', bytes('before'));
      const end = await state.subscribe('c', (message) => heard?.push(message.toString()));
      await state.subscribe('c', (message) => other?.push(message.toString()));
      await state.subscribe('another', (message) => heard?.push(`${message.toString()} elsewhere`));
      for (let i = 0; i < 100; i += 1) void state.publish('c', bytes(`${i}`));
      await until('all are heard', () => heard?.length === 100 && other?.length === 100);
      expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
      end();
      end();
      await state.publish('c', bytes('later'));
      await until('the other hears it', () => other?.at(-1) === 'later');
      expect(heard?.length).toBe(100);
    });

    test('is removed only while it is still the same', async () => {
      await state.set('k', bytes('mine'), minuteMs);
      expect(await state.removeIf('k', bytes('yours'))).toBe(false);
      expect(await state.get('k')).toEqual(bytes('mine'));
      expect(await state.removeIf('k', bytes('mine'))).toBe(true);
      expect(await state.removeIf('k', bytes('mine'))).toBe(false);
      expect(await state.get('k')).toBeNull();
    });

    test('a bucket begins full; of many who take at once none gets what another has', async () => {
      const limit = { perSecond: 0.001, burst: 25 };
      const taken = await Promise.all(Array.from({ length: 20 }, () => state.take('b', limit, 2)));
      expect(taken.map(({ granted }) => granted).filter((granted) => granted > 0)).toEqual([...Array(12).fill(2), 1]);
      // A thousand seconds a token, less what has gone by.
      const { granted, waitMs } = await state.take('b', limit, 5);
      expect(granted).toBe(0);
      expect(waitMs).toBeGreaterThan(900_000);
      expect(waitMs).toBeLessThanOrEqual(1_000_000);
      expect(await state.take('another', limit, 30)).toEqual({ granted: 25, waitMs: 0 });
    });

    test('a bucket fills with time, up to its burst, and its limit may change', async () => {
      const limit = { perSecond: 20, burst: 2 };
      expect((await state.take('b', limit, 2)).granted).toBe(2);
      const { granted, waitMs } = await state.take('b', limit, 1);
      expect(granted).toBe(0);
      expect(waitMs).toBeLessThanOrEqual(50);
      await harness.pass(waitMs);
      await until('there is one again', async () => (await state.take('b', limit, 1)).granted === 1);
      await harness.pass(1000);
      const faster = { perSecond: 2000, burst: 3 };
      await until('there is a burst again, and no more', async () => (await state.take('b', faster, 5)).granted === 3);
    });

    test('numbers are given once, in rows, and above what is known to be given', async () => {
      const rows = await Promise.all(Array.from({ length: 20 }, () => state.reserve('n', 10, 0)));
      expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => 1 + 10 * i));
      expect(await state.reserve('n', 1, 0)).toBe(201);
      expect(await state.reserve('n', 1, 500)).toBe(501);
      expect(await state.reserve('n', 5, 0)).toBe(502);
      expect(await state.reserve('another', 1, 0)).toBe(1);
    });

    test('is well while open; close before open and twice is fine', async () => {
      expect(state.health().ok).toBe(true);
      const unopened = await harness.make();
      await unopened.close();
      await state.close();
      await state.close();
    });
  });
}
