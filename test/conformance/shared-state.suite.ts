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
      const end = await state.subscribe('c', (message) => heard?.push(`${message}`));
      await state.subscribe('c', (message) => other?.push(`${message}`));
      await state.subscribe('another', (message) => heard?.push(`${message} elsewhere`));
      for (let i = 0; i < 100; i += 1) void state.publish('c', bytes(`${i}`));
      await until('all are heard', () => heard?.length === 100 && other?.length === 100);
      expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
      end();
      end();
      await state.publish('c', bytes('later'));
      await until('the other hears it', () => other?.at(-1) === 'later');
      expect(heard?.length).toBe(100);
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
