// Partitions among members: even, complete, and moving no more than must be.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shareOut } from '#src/broker/share-out.js';

/** What each member holds once the owners are as given. */
function heldBy(owners: readonly string[], members: readonly string[]): Map<string, number[]> {
  return new Map(members.map((member) => [member, owners.flatMap((owner, i) => (owner === member ? [i] : []))]));
}

test('members come and go: shares differ by one at most, and a second look moves nothing', () => {
  const groups = fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40 }), groups, (partitions, steps) => {
      let owners: string[] = [];
      for (const members of steps) {
        const before = heldBy(owners, members);
        owners = shareOut(partitions, before);
        expect(owners.length).toBe(partitions);
        const after = heldBy(owners, members);
        const sizes = [...after.values()].map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        for (const member of members) {
          const kept = (before.get(member) ?? []).filter((partition) => owners[partition] === member).length;
          expect(kept).toBe(Math.min((before.get(member) ?? []).length, (after.get(member) ?? []).length));
        }
        expect(shareOut(partitions, after)).toEqual(owners);
      }
    }),
  );
});
