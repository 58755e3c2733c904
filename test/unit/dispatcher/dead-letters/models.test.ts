// Settled ranges, parked keys and the judgement of a redrive, each held against a model that a reader believes at once.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParkedLanes } from '#src/dispatcher/dead-letters/parked-lanes.js';
import { SettledRanges } from '#src/dispatcher/dead-letters/settled-ranges.js';
import type { Work } from '#src/dispatcher/window/partition-window.js';
import { delivered, rejected } from '../../../support/scripted-target.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const offsets = 64;
const aRange = fc
  .tuple(fc.integer({ min: 0, max: offsets }), fc.integer({ min: 0, max: 12 }))
  .map(([first, length]) => [BigInt(first), BigInt(first + length)] as const);

describe('settled ranges', () => {
  test('know of each offset what a set of offsets knows, and say it so that it can be read again', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n }),
        fc.array(fc.array(aRange, { maxLength: 4 }), { maxLength: 8 }),
        (start, batches) => {
          const model = new Set<bigint>();
          for (let offset = 0n; offset < start; offset += 1n) model.add(offset);
          let settled = new SettledRanges(start, '');
          const agree = (one: SettledRanges) => {
            let open = 0n;
            for (let end = 0n; end <= 2n * BigInt(offsets); end += 1n) {
              expect([end, one.openBelow(end)]).toEqual([end, open]);
              expect([end, one.has(end)]).toEqual([end, model.has(end)]);
              if (!model.has(end)) open += 1n;
            }
            let mark = 0n;
            while (model.has(mark)) mark += 1n;
            expect(one.mark).toBe(mark);
          };
          agree(settled);
          for (const batch of batches) {
            const before = settled;
            const openBefore = before.openBelow(100n);
            settled = settled.with(batch);
            expect(before.openBelow(100n)).toBe(openBefore);
            for (const [first, end] of batch) for (let offset = first; offset < end; offset += 1n) model.add(offset);
            agree(settled);
            const text = settled.metadata(10_000) ?? '';
            agree(new SettledRanges(settled.mark, text));
            expect(settled.metadata(text.length)).toBe(text);
            if (text !== '') expect(settled.metadata(text.length - 1)).toBeNull();
          }
        },
      ),
    );
  });
});

/** One parked key, as an operator would describe it. */
interface ModelLane {
  records: Set<bigint>;
  isReturning: boolean;
  lettersEnd: bigint;
  moving: boolean[];
  readonly underWay: Work[];
}

type Step =
  | {
      readonly kind: 'park' | 'give up' | 'restore' | 'move' | 'moved' | 'send' | 'over' | 'hold' | 'return';
      readonly lane: string;
    }
  | { readonly kind: 'take returned' };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('park', 'give up', 'restore', 'move', 'moved', 'send', 'over', 'hold', 'return'),
      lane: fc.constantFrom('a', 'b', 'c'),
    }),
  },
  { arbitrary: fc.constant({ kind: 'take returned' as const }), weight: 1 },
);

describe('parked keys', () => {
  test('are held, return and are forgotten as the model has it, and each record is given back once', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 60, size: 'max' }), fc.boolean(), (steps, areCopies) => {
        const parked = new ParkedLanes();
        const model = new Map<string, ModelLane>();
        const givenBack: bigint[] = [];
        let place = 0n;
        const join = (lane: string, record: bigint, end: bigint) => {
          const known = model.get(lane) ?? {
            records: new Set(),
            isReturning: false,
            lettersEnd: 0n,
            moving: [],
            underWay: [],
          };
          known.records.add(record);
          known.isReturning = false;
          if (end > known.lettersEnd) known.lettersEnd = end;
          model.set(lane, known);
        };
        for (const step of steps) {
          place += 1n;
          if (step.kind === 'take returned') {
            const expected: bigint[] = [];
            for (const [lane, one] of model) {
              if (!one.isReturning || one.underWay.length > 0) continue;
              expected.push(...one.records);
              model.delete(lane);
            }
            const taken = parked.takeReturned();
            expect([taken.length, new Set(taken)]).toEqual([expected.length, new Set(expected)]);
            givenBack.push(...taken);
            continue;
          }
          const { lane, kind } = step;
          const known = model.get(lane);
          if (kind === 'park') {
            expect(parked.beginParking(lane)).toBe(true);
            // Its record may be read back before its letter is written.
            expect(parked.needs(lane, place)).toBe(true);
            parked.park(lane, place, place, Number(place));
            join(lane, place, place + 1n);
          } else if (kind === 'give up') {
            parked.beginParking(lane);
            parked.giveUpParking(lane);
            expect(parked.needs(lane, place)).toBe(false);
          } else if (kind === 'restore') {
            parked.restore(lane, place, place, Number(place), false);
            join(lane, place, place);
          } else if (known === undefined) {
            // The others are only done to keys that are known.
          } else if (kind === 'move' && !known.isReturning) {
            parked.moving(lane, areCopies);
            known.moving.push(areCopies);
          } else if (kind === 'moved' && known.moving.length > 0) {
            parked.moved(lane, known.moving.shift() === true, place);
            if (place + 1n > known.lettersEnd) known.lettersEnd = place + 1n;
          } else if (kind === 'send') {
            const work = { lane } as Work;
            parked.letterSent(work);
            known.underWay.push(work);
          } else if (kind === 'over') {
            // One that was sent before the key was parked counts nothing.
            parked.letterOver(known.underWay.pop() ?? ({ lane } as Work));
          } else if (kind === 'hold') {
            parked.hold(lane);
            known.isReturning = false;
          } else if (kind === 'return' && parked.hasNoneFrom(place, lane)) {
            parked.returns(lane);
            known.isReturning = true;
          }
          for (const name of ['a', 'b', 'c', null]) {
            const one = name === null ? undefined : model.get(name);
            expect(parked.knows(name)).toBe(one !== undefined);
            expect(parked.holds(name)).toBe(one !== undefined && !one.isReturning);
            expect(parked.isMovingCopies(name)).toBe(one?.moving.includes(true) === true);
            if (name === null) continue;
            for (const end of [place - 1n, place, place + 1n])
              expect(parked.hasNoneFrom(end, name)).toBe(
                one !== undefined && one.moving.length === 0 && one.lettersEnd <= end,
              );
            for (const record of one?.records ?? []) expect(parked.needs(name, record)).toBe(true);
          }
          expect(parked.names().toSorted()).toEqual([...model.keys()].toSorted());
        }
        expect(new Set(givenBack).size).toBe(givenBack.length);
        for (const record of givenBack)
          for (const name of ['a', 'b', 'c']) expect(parked.needs(name, record)).toBe(false);
      }),
    );
  });

  test('are at most 512, those that are being parked among them', () => {
    const parked = new ParkedLanes();
    for (let i = 0; i < 511; i += 1) parked.restore(`${i}`, BigInt(i), 1n, 0, false);
    expect(parked.beginParking('one')).toBe(true);
    expect([parked.beginParking('two'), parked.beginParking('3')]).toEqual([false, true]);
    parked.giveUpParking('one');
    expect(parked.beginParking('two')).toBe(false);
    parked.giveUpParking('3');
    expect(parked.beginParking('two')).toBe(true);
  });
});

describe('a redrive', () => {
  const everything = { partition: null, from: 0n, to: null };

  test('ends as its failures say: never stopped below the share, always above it, and then soon', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 300, size: 'max' }),
        fc.constantFrom(0.01, 0.1, 0.5, 1),
        fc.constantFrom(0, 0.05, 0.2, 0.5, 1),
        async (fails, canaryShare, abortIfFailRate) => {
          const lab = await SpillLab.start({
            rate: perSecond(1_000_000),
            concurrency: fixed(20),
            retries: 0,
            poison: 'skip',
          });
          try {
            let isWell = false;
            lab.target.answer = ({ source: { body } }) =>
              isWell && fails[Number(body.toString())] === false ? delivered : rejected;
            const total = fails.length;
            await lab.append(...fails.map((_, i) => lab.call(`${i}`, null, 'http://a.example/')));
            const open = () => Number(lab.runner.letters.box?.counts()[0]?.open ?? -1);
            await lab.until('all are dead letters', () => open() === total);
            isWell = true;
            const order = { range: everything, perSecond: 1_000_000, canary: canaryShare, abortIfFailRate };
            const redrive = lab.runner.resending.startRedrive(order);
            await lab.until('it has ended', () => redrive?.isUnderWay === false);
            const report = redrive?.report ?? expect.fail('none was started');
            const canary = Math.max(1, Math.ceil(total * canaryShare));
            const slack = Math.max(1, Math.floor(total * 0.05));
            /** The share after so many in order, the canary as a whole. */
            const shareAfter = (count: number) =>
              fails.slice(0, count).filter(Boolean).length / Math.max(count, canary);
            const counts = Array.from({ length: total }, (_, i) => i + 1);
            const first = counts.find((count) => shareAfter(count) > abortIfFailRate);
            const fromHere = counts.findLast((count) => shareAfter(count) <= abortIfFailRate) ?? 0;
            if (first === undefined) expect(report).toMatchObject({ state: 'done', sent: total, held: 0 });
            // Between two looks the share may have been above for a moment only.
            if (shareAfter(total) > abortIfFailRate) {
              expect(report.state).toBe('aborted');
              expect(report.sent).toBeLessThanOrEqual(Math.max(canary, fromHere + 1 + slack));
            }
            expect(report.total).toBe(total);
            expect(report.sent).toBe(report.delivered + report.failed);
            const sent = fails.slice(0, report.sent);
            expect([report.delivered, report.failed]).toEqual([
              sent.filter((isFailing) => !isFailing).length,
              sent.filter(Boolean).length,
            ]);
            await lab.until('what was not delivered stands there', () => open() === total - report.delivered);
          } finally {
            await lab.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
