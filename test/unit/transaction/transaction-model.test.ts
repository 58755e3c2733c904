// Every order of commit, rollback, check, answer, crash, takeover, carrying and the end of a transaction's time, to a depth.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { StoredMessage } from '#src/message/message.js';
import { type Entry, recordOf } from '#src/transaction/transaction-record.js';
import { begun, type Happening, isOver, next, type State } from '#src/transaction/transaction-state.js';
import { TransactionTable } from '#src/transaction/transaction-table.js';

/** DEPTH=7 takes minutes. */
const depth = Number(process.env['DEPTH'] ?? 5);

const decide = (verb: 'commit' | 'rollback', by: 'producer' | 'operator' | 'ttl', keep = false): Happening => ({
  kind: 'decide',
  verb,
  by,
  node: 'n',
  keep,
});

describe('one transaction', () => {
  const happenings: readonly Happening[] = [
    decide('commit', 'producer'),
    decide('rollback', 'operator'),
    decide('rollback', 'ttl', true),
    { kind: 'asked', ask: 0, untilMs: 9 },
    { kind: 'asked', ask: 1, untilMs: 9 },
    ...(['commit', 'rollback', 'unknown', 'silent', 'unsent'] as const).flatMap((says) =>
      [0, 1].map((ask) => ({ kind: 'answer', ask, says }) as const),
    ),
    { kind: 'done' },
    { kind: 'again' },
  ];

  test('the first decision holds, done ends it, and nothing else decides or counts', () => {
    let seen = 0;
    const go = (state: State, left: number, sent: number): void => {
      seen += 1;
      if (state.kind === 'undecided') {
        // As many as were sent and answered, and no more; two instances: silence of both is one check.
        expect(state.checks).toBeLessThanOrEqual(sent);
        expect(state.silent).toBeLessThan(2);
      }
      if (left === 0) return;
      for (const what of happenings) {
        const after = next(state, what, 1, 2);
        if (isOver(state)) expect(after).toBe(state);
        if (state.kind === 'committing') expect(['committing', 'committed']).toContain(after.kind);
        if (state.kind === 'burying') expect(['burying', 'rolled-back']).toContain(after.kind);
        if (state.kind === 'undecided' && after.kind !== 'undecided') {
          const said = what.kind === 'decide' ? what.verb : what.kind === 'answer' ? what.says : null;
          expect(after.kind === 'committing' ? 'commit' : 'rollback').toBe(said);
        }
        // What is over changes nothing for good: no need to go on.
        if (after !== state) go(after, left - 1, sent + (what.kind === 'answer' ? 1 : 0));
      }
    };
    go(begun, depth, 0);
    expect(seen).toBeGreaterThan(1000);
  });
});

/** A process: what it has read since it began at `start`, and what it is about to do. */
interface Node {
  readonly start: number;
  readonly read: number;
  /** It does nothing before it has read so far. */
  readonly ready: number;
  /** Its messages are stored, the note is not. */
  readonly isFinishing: boolean;
}

interface World {
  readonly log: readonly Entry[];
  readonly mark: number;
  readonly nodes: readonly [Node, Node];
  /** Which of them the group says is the keeper; the other may not know yet. */
  readonly keeper: 0 | 1;
  readonly stored: number;
}

const id = 't';
const facts = { caller: 'c', checkUrls: ['http://one', 'http://two'], firstCheckMs: 0, createdMs: 1 };

function fold(log: readonly Entry[], from: number, to: number, isCaughtUp: boolean): TransactionTable {
  const table = new TransactionTable(
    () => undefined,
    () => {
      throw new Error('a record cannot be read');
    },
  );
  for (const [offset, entry] of log.entries()) {
    if (offset < from || offset >= to) continue;
    table.apply({ ...recordOf(entry), partition: 0, offset: BigInt(offset), timestampMs: 1 } as StoredMessage);
  }
  if (isCaughtUp) table.caughtUp();
  return table;
}

type Step = readonly [string, World];

function* stepsOf(world: World): Generator<Step> {
  for (const n of [0, 1] as const) yield* stepsOfNode(world, n);
  // The other node becomes the keeper; what the one before has begun goes on.
  yield ['rebalance', { ...world, keeper: world.keeper === 0 ? 1 : 0 }];
}

function* stepsOfNode(world: World, n: 0 | 1): Generator<Step> {
  const { log, mark, nodes } = world;
  const node = nodes[n];
  const other = nodes[1 - n] as Node;
  const withNode = (changes: Partial<Node>): [Node, Node] => {
    const changed = { ...node, ...changes };
    return n === 0 ? [changed, other] : [other, changed];
  };
  const append = (...entries: Entry[]) => [...log, ...entries];
  if (node.read < log.length) yield [`${n} reads`, { ...world, nodes: withNode({ read: node.read + 1 }) }];
  yield [
    `${n} crashes`,
    { ...world, nodes: withNode({ start: mark, read: mark, ready: log.length, isFinishing: false }) },
  ];
  if (node.read < node.ready) return;
  const table = fold(log, node.start, node.read, true);
  const known = table.find(id);
  const name = `n${n}`;
  // Whoever was the keeper and does not know better may still carry.
  const lastOwns = log.slice(0, node.read).findLast((entry) => entry.kind === 'owns');
  const isOwner = lastOwns?.kind === 'owns' && lastOwns.epoch === name;
  if (world.keeper === n && !isOwner)
    yield [`${n} takes over`, { ...world, log: append({ kind: 'owns', epoch: name }) }];
  if (world.keeper === n && isOwner && node.read === log.length) {
    const moved = table.mark(node.read);
    if (moved > mark) yield [`${n} frees`, { ...world, mark: moved }];
  }
  if (known === undefined) return;
  const { state } = known;
  if (state.kind === 'undecided') {
    for (const verb of ['commit', 'rollback'] as const)
      yield [
        `${n} decides ${verb}`,
        { ...world, log: append({ ...decide(verb, 'producer'), id, node: name } as Entry) },
      ];
    yield [`a check says commit`, { ...world, log: append({ kind: 'answer', id, ask: 0, says: 'commit' }) }];
    if (world.keeper === n && isOwner)
      yield [`${n} ends it`, { ...world, log: append({ ...decide('rollback', 'ttl', true), id, node: '' } as Entry) }];
    if (isOwner) {
      const entry = { kind: 'carry', id, ...facts, state, asOf: node.read - 1, epoch: name } as const;
      yield [`${n} carries`, { ...world, log: append(entry) }];
    }
  } else if (state.kind === 'committing') {
    const isOurs = state.node === name || world.keeper === n;
    if (isOurs && !node.isFinishing)
      yield [`${n} stores`, { ...world, stored: world.stored + 1, nodes: withNode({ isFinishing: true }) }];
    if (node.isFinishing)
      yield [`${n} notes`, { ...world, log: append({ kind: 'done', id }), nodes: withNode({ isFinishing: false }) }];
  }
}

/** By the log alone, from its first record. */
function decisionIn(log: readonly Entry[]): 'commit' | 'rollback' | null {
  for (const entry of log) {
    if (entry.kind === 'decide') return entry.verb;
    if (entry.kind === 'answer' && entry.says === 'commit') return 'commit';
  }
  return null;
}

function mustHold({ log, mark, stored }: World, way: readonly string[]): void {
  const holds = (what: string, is: boolean) => {
    if (!is) throw new Error(`${what}: ${way.join(', ')}`);
  };
  const decision = decisionIn(log);
  const all = fold(log, 0, log.length, true).find(id);
  const kind = all?.state.kind ?? 'undecided';
  const wanted = { commit: ['committing', 'committed'], rollback: ['rolled-back', 'burying'], none: ['undecided'] };
  holds('what is stored was committed', stored === 0 || decision === 'commit');
  holds('the first decision holds', wanted[decision ?? 'none'].includes(kind));
  holds('what is committed is stored', kind !== 'committed' || stored > 0);
  // Whoever begins at the mark knows what is open exactly as whoever has read all of it, and raises nothing from the dead.
  const late = fold(log, mark, log.length, true).find(id);
  const isAlike = isDeepStrictEqual(late?.state, all?.state) && late?.offset === all?.offset;
  holds('whoever begins at the mark comes to the same', isAlike || (late === undefined && isOver(all?.state ?? begun)));
}

describe('two nodes over one log', () => {
  test('one decision, on every node and for whoever comes later; stored only if it is commit', () => {
    const first: Node = { start: 0, read: 1, ready: 1, isFinishing: false };
    const world: World = {
      log: [{ kind: 'begin', id, ...facts }],
      mark: 0,
      nodes: [first, first],
      keeper: 0,
      stored: 0,
    };
    const seen = new Map<string, number>();
    const go = (at: World, left: number, way: readonly string[]): void => {
      const key = JSON.stringify(at);
      const before = seen.get(key) ?? -1;
      if (before >= left) return;
      seen.set(key, left);
      if (before === -1) mustHold(at, way);
      if (left === 0) return;
      for (const [name, after] of stepsOf(at)) go(after, left - 1, [...way, name]);
    };
    go(world, depth, []);
    expect(seen.size).toBeGreaterThan(1000);
  }, 120_000);

  test.each([
    [
      'a carried one, and whoever begins at the mark behind it',
      ['takes', 'reads', 'carries', 'reads', 'frees', 'commit'],
    ],
  ])('%s', (_, wanted) => {
    const first: Node = { start: 0, read: 1, ready: 1, isFinishing: false };
    let at: World = { log: [{ kind: 'begin', id, ...facts }], mark: 0, nodes: [first, first], keeper: 0, stored: 0 };
    for (const word of wanted) {
      const step = [...stepsOfNode(at, 0)].find(([name]) => name.includes(word));
      if (step === undefined) throw new Error(`nobody ${word}`);
      [, at] = step;
      mustHold(at, [word]);
    }
    expect(at.mark).toBeGreaterThan(0);
  });
});
