// Every promise of idempotency.ts as a test; each driver runs all of it, with no branch by driver.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker } from '#src/broker/broker.js';
import type { Claim, Idempotency, OnceKey, StoredAnswer } from '#src/producer/idempotency.js';

export interface IdempotencyHarness {
  make(): Promise<{ readonly keys: Idempotency; readonly broker: Broker }>;
  /** Lets time go by. */
  pass(ms: number): void;
  /** How long it knows a key. */
  readonly ttlMs: number;
}

export const once = (key: string, asked = 'this'): OnceKey => ({
  key: Buffer.from(key.padEnd(16, '.')),
  fingerprint: Buffer.from(asked.padEnd(16, '.')),
});
export const answer = (id: string): StoredAnswer => ({ id, durability: 'disk' });

type NewClaim = Extract<Claim, { kind: 'new' }>;

/** As the producer does it: the record behind the message. */
export async function store(broker: Broker, claim: Claim, id: string): Promise<string> {
  const ours = claim as NewClaim;
  const [position] = await broker.append([ours.record(answer(id))], -1);
  return ours.stored(position?.offset ?? null);
}

export function idempotencySuite(name: string, harness: IdempotencyHarness): void {
  describe(`idempotency: ${name}`, () => {
    let keys: Idempotency;
    let broker: Broker;

    beforeEach(async () => {
      ({ keys, broker } = await harness.make());
    });

    afterEach(async () => {
      await keys.close();
      await broker.close();
    });

    test('the first gets the key, and the same call its answer from then on', async () => {
      const claim = await keys.claim(once('a'));
      expect(claim.kind).toBe('new');
      const scope = await store(broker, claim, 'm1');
      expect(scope).toBe(keys.scope);
      expect(await keys.claim(once('a'))).toEqual({ kind: 'known', answer: answer('m1'), scope });
      expect((await keys.claim(once('b'))).kind).toBe('new');
    });

    test('while it is stored others are told so, and of another call that the key is not theirs', async () => {
      const claims = await Promise.all([keys.claim(once('a')), keys.claim(once('a')), keys.claim(once('a', 'that'))]);
      expect(claims.map(({ kind }) => kind)).toEqual(['new', 'in progress', 'other payload']);
      await store(broker, claims[0] as Claim, 'm1');
      expect((await keys.claim(once('a', 'that'))).kind).toBe('other payload');
    });

    test('what was not stored has used up no key', async () => {
      ((await keys.claim(once('a'))) as NewClaim).failed();
      const claim = await keys.claim(once('a', 'that'));
      expect(claim.kind).toBe('new');
      await store(broker, claim, 'm2');
      expect(await keys.claim(once('a', 'that'))).toMatchObject({ kind: 'known', answer: { id: 'm2' } });
    });

    test('one whose record is not known to be written harms nobody', async () => {
      const claim = (await keys.claim(once('a'))) as NewClaim;
      claim.record(answer('m1'));
      await claim.stored(null);
      expect(['new', 'known']).toContain((await keys.claim(once('a'))).kind);
    });

    test('a key is forgotten in the end', async () => {
      await store(broker, await keys.claim(once('a')), 'm1');
      harness.pass(harness.ttlMs + 1);
      expect((await keys.claim(once('a'))).kind).toBe('new');
    });
  });
}
