// What records of registrations come to: the first of two for the same version holds, and who begins in the middle knows the same.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Leases, maxLeases } from '#src/subscription/leases.js';
import { type RegistrationRecord, RegistrationTable } from '#src/subscription/registration-table.js';

const nowMs = 1_000_000;

/** A log with one reader that has read all of it. */
class Log {
  readonly bodies: Buffer[] = [];
  readonly valid: boolean[] = [];
  readonly table = new RegistrationTable(
    () => nowMs,
    (_group, record, isValid) => 'id' in record && this.valid.push(isValid),
  );

  write(...records: RegistrationRecord[]): void {
    for (const record of records) {
      this.bodies.push(Buffer.from(JSON.stringify(record)));
      this.table.apply(this.at(this.bodies.length - 1));
    }
  }

  /** Who begins at an offset. */
  readFrom(offset: number): RegistrationTable {
    const table = new RegistrationTable(
      () => nowMs,
      () => undefined,
    );
    for (let i = offset; i < this.bodies.length; i += 1) table.apply(this.at(i));
    return table;
  }

  private at(offset: number) {
    return {
      topic: 't',
      partition: 0,
      offset: BigInt(offset),
      timestampMs: 0,
      key: null,
      headers: {},
      body: this.bodies[offset] as Buffer,
    };
  }
}

const stateOf = ({ registered, leases }: RegistrationTable) => ({
  registered: Object.fromEntries(registered),
  leases: [...leases.all()].map(([group, { url, expiresMs }]) => `${group} ${url} ${expiresMs}`).sort(),
});

const group = fc.constantFrom('a', 'b', 'c');
const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), group, isStale: fc.boolean(), n: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), group, isStale: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('lease' as const), group, n: fc.nat(2), isOver: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('retell' as const), isRaced: fc.boolean(), group }) },
);

test('who begins where all was told again knows what they know who have read all', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const log = new Log();
      let id = 0;
      let freed: number | null = null;
      for (const one of acts) {
        id += 1;
        if (one.kind === 'retell') {
          const all = log.table.retold();
          // Somebody else was faster: what was told again is not gone by.
          if (one.isRaced)
            log.write({
              kind: 'delete',
              id: `${id}`,
              group: one.group,
              basedOn: log.table.registered.get(one.group)?.version ?? null,
            });
          const first = log.bodies.length;
          log.write(...all);
          if (one.isRaced) continue;
          log.write({ kind: 'retold all', first: `${first}` });
          freed = first;
          continue;
        }
        if (one.kind === 'lease') {
          const expiresMs = one.isOver ? 0 : nowMs + id;
          log.write({ kind: 'lease', group: one.group, url: `http://${one.n}/`, weight: 1, warmupMs: null, expiresMs });
          continue;
        }
        const current = log.table.registered.get(one.group)?.version ?? null;
        const basedOn = one.isStale ? '999999' : current;
        if (one.kind === 'delete') log.write({ kind: 'delete', id: `${id}`, group: one.group, basedOn });
        else log.write({ kind: 'put', id: `${id}`, group: one.group, basedOn, document: { n: one.n }, starts: null });
        expect(log.valid.at(-1)).toBe(!one.isStale);
      }
      // Chunks go whole: a few records before what was freed may be there still.
      if (freed !== null)
        for (const from of new Set([freed, Math.max(Math.min(1, freed), freed - 3)]))
          expect(stateOf(log.readFrom(from))).toEqual(stateOf(log.table));
      expect(stateOf(log.readFrom(0))).toEqual(stateOf(log.table));
    }),
    { numRuns: 500 },
  );
});

test('of two records for the same version the first holds', () => {
  const log = new Log();
  for (const n of [1, 2])
    log.write({ kind: 'put', id: `${n}`, group: 'g', basedOn: null, document: { n }, starts: null });
  expect(log.valid).toEqual([true, false]);
  expect(log.table.registered.get('g')).toEqual({ version: '0', document: { n: 1 }, starts: null });
});

test('a lease that only lasts longer changes nothing but its end', () => {
  const leases = new Leases();
  const one = { url: 'http://h/', weight: 1, warmupMs: null, expiresMs: 10 };
  expect(leases.put('g', one)).toBe(true);
  const [endpoint] = leases.endpointsOf('g');
  expect(leases.put('g', { ...one, expiresMs: 99 })).toBe(false);
  expect(leases.endpointsOf('g')[0]).toBe(endpoint);
  expect(leases.of('g', one.url)?.expiresMs).toBe(99);
  expect(leases.put('g', { ...one, weight: 2 })).toBe(true);
  expect(leases.endpointsOf('g')).toEqual([{ url: 'http://h/', weight: 2, warmupMs: null }]);
  expect(leases.size).toBe(1);
});

test('leases are bounded, and go when their time is over', () => {
  const leases = new Leases();
  const lease = (i: number) => ({ url: `http://h/${i}`, weight: 1, warmupMs: null, expiresMs: i });
  for (let i = 0; i < maxLeases; i += 1) {
    expect(leases.noRoomFor('g', lease(i).url)).toBe(null);
    leases.put('g', lease(i));
  }
  expect(leases.noRoomFor('g', 'http://h/new')).toContain(`${maxLeases} endpoints`);
  expect(leases.noRoomFor('g', lease(0).url)).toBe(null);
  expect(leases.expire(99)).toEqual(['g']);
  expect(leases.endpointsOf('g')).toHaveLength(maxLeases - 100);
  for (let i = 0; leases.noRoomFor(`g${i}`, 'http://h/') === null; i += 1) leases.put(`g${i}`, lease(1000));
  expect(leases.noRoomFor('another', 'http://h/')).toContain('16384');
  leases.deleteAll('g');
  expect(leases.endpointsOf('g')).toEqual([]);
});
