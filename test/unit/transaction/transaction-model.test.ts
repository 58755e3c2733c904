// Every order of commit, rollback, check, answer, crash, takeover, carrying and the end of a transaction's time, to a depth.
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Message } from '#src/message/message.js';
import { type Entry, recordOf } from '#src/transaction/transaction-record.js';
import { begun, type Happening, isOver, next, type State } from '#src/transaction/transaction-state.js';
import { TransactionTable } from '#src/transaction/transaction-table.js';

/** Things that two nodes do, whatever they read in between: seconds. Each one more takes ten times as long. */
const depth = Number(process.env['DEPTH'] ?? 6);

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

  /** Far beyond what two checks of two instances can bring about. */
  const steps = 30;

  test('the first decision holds, done ends it, and nothing else decides or counts', () => {
    const seen = new Set<string>();
    let ahead: { readonly state: State; readonly sent: number }[] = [{ state: begun, sent: 0 }];
    for (let step = 0; step < steps; step += 1) {
      const found: typeof ahead = [];
      for (const { state, sent } of ahead) {
        for (const what of happenings) {
          const after = next(state, what, 1, 2);
          mustFollow(state, what, after);
          const world = { state: after, sent: sent + (what.kind === 'answer' ? 1 : 0) };
          const key = JSON.stringify(world);
          // What is over changes nothing for good: no need to go on.
          if (after === state || seen.has(key)) continue;
          seen.add(key);
          // As many as were sent and answered, and no more; two instances: silence of both is one check.
          if (after.kind === 'undecided') {
            expect(after.checks).toBeLessThanOrEqual(world.sent);
            expect(after.silent).toBeLessThan(2);
          }
          found.push(world);
        }
      }
      ahead = found;
    }
    expect(seen.size).toBeGreaterThan(1000);
  });

  function mustFollow(state: State, what: Happening, after: State): void {
    if (isOver(state)) expect(after).toBe(state);
    if (state.kind === 'committing') expect(['committing', 'committed']).toContain(after.kind);
    if (state.kind === 'burying') expect(['burying', 'rolled-back']).toContain(after.kind);
    if (state.kind !== 'undecided' || after.kind === 'undecided') return;
    const said = what.kind === 'decide' ? what.verb : what.kind === 'answer' ? what.says : null;
    expect(after.kind === 'committing' ? 'commit' : 'rollback').toBe(said);
  }
});

/**
 * A process, between two things that it does. What it reads in between nobody sees, so it has read only as far as what it did
 * last needed; before the next thing it may read on.
 */
interface Node {
  readonly start: number;
  readonly read: number;
  /** It does nothing before it has read so far. */
  readonly ready: number;
  /** Its messages are stored, the note is not. */
  readonly isFinishing: boolean;
}

/** The group may make either of them the keeper at any moment, and the other may not know yet. */
interface World {
  readonly log: readonly Entry[];
  readonly mark: number;
  readonly nodes: readonly [Node, Node];
  readonly isStored: boolean;
}

const id = 't';
const facts = { caller: 'c', checkUrls: ['http://one', 'http://two'], firstCheckMs: 0, createdMs: 1 };

/** What a node knows; tables of the same records are the same. */
interface Known {
  readonly state: State | null;
  readonly offset: number;
  readonly mark: number;
}

const folded = new Map<string, Known>();

/** From the record at `from` up to the one before `to`; what stands before `ready` was read at the start. */
function fold(log: readonly Entry[], from: number, to: number, ready = to): Known {
  const key = `${keyOf(log.slice(0, to))} ${from} ${ready}`;
  const before = folded.get(key);
  if (before !== undefined) return before;
  const table = new TransactionTable(
    () => undefined,
    () => {
      throw new Error('a record cannot be read');
    },
  );
  for (let offset = from; offset < to; offset += 1) {
    if (offset === ready) table.caughtUp();
    const { record } = placeOf(log[offset] as Entry);
    table.apply({ ...record, partition: 0, offset: BigInt(offset), timestampMs: 1 });
  }
  table.caughtUp();
  const found = table.find(id);
  const known = { state: found?.state ?? null, offset: found?.offset ?? -1, mark: table.mark(to) };
  folded.set(key, known);
  return known;
}

/** Equal entries are the same object, and have a number; `twin`: what the other node would write in its place. */
interface Interned {
  readonly entry: Entry;
  readonly record: Message;
  readonly number: number;
  twin: number;
}

const byText = new Map<string, Interned>();
const byEntry = new Map<Entry, Interned>();
const swapped = (text: string) => text.replaceAll(/"n[01]/g, (name) => (name === '"n0' ? '"n1' : '"n0'));

function interned(entry: Entry): Entry {
  const text = JSON.stringify(entry);
  let known = byText.get(text);
  if (known === undefined) {
    known = { entry, record: recordOf(entry), number: byText.size, twin: byText.size };
    byText.set(text, known);
    byEntry.set(entry, known);
    const twin = swapped(text);
    if (twin !== text) {
      const other = byText.get(twin) ?? byText.get(JSON.stringify(interned(JSON.parse(twin) as Entry)));
      if (other !== undefined) [known.twin, other.twin] = [other.number, known.number];
    }
  }
  return known.entry;
}

const placeOf = (entry: Entry) => byEntry.get(entry) as Interned;
const keyOf = (log: readonly Entry[]) => log.map((entry) => placeOf(entry).number).join();

type Step = readonly [string, World];

const byNode = (what: Happening, node: string) => ({ ...what, id, node }) as Entry;

/** Of one keeper for as long as it is one. */
const epochOf = (entry: Entry | undefined) => (entry?.kind === 'owns' ? entry.epoch : '');

function* stepsOfNode(world: World, n: 0 | 1): Generator<Step> {
  const { log, mark, nodes } = world;
  const node = nodes[n];
  const other = nodes[1 - n] as Node;
  const withNode = (changes: Partial<Node>): [Node, Node] => {
    const changed = { ...node, ...changes };
    return n === 0 ? [changed, other] : [other, changed];
  };
  yield [
    `${n} crashes`,
    { ...world, nodes: withNode({ start: mark, read: mark, ready: log.length, isFinishing: false }) },
  ];
  const name = `n${n}`;
  const owns = log.findLastIndex((entry) => entry.kind === 'owns');
  const done = new Set<string>();
  for (let read = Math.max(node.read, node.ready); read <= log.length; read += 1) {
    // What is done alike after less was read is done after less.
    const isNew = (what: string) => !done.has(what) && done.add(what);
    const writes = (what: string, entry: Entry, changes: Partial<Node> = {}): Step => [
      `${n} ${what}`,
      { ...world, log: [...log, entry], nodes: withNode({ read, ...changes }) },
    ];
    const { state, mark: free } = fold(log, node.start, read, node.ready);
    // Whoever was the keeper and does not know better may still carry.
    const at = log.slice(0, read).findLastIndex(({ kind }) => kind === 'owns');
    const epoch = epochOf(log[at]);
    const isOwner = at >= node.ready && epoch.startsWith(name);
    if (!isOwner && isNew('takes over'))
      yield writes('takes over', interned({ kind: 'owns', epoch: `${name} ${log.length}` }));
    // The broker takes no mark from one that has lost the group.
    if (isOwner && read > owns && free > mark && isNew(`frees ${free}`))
      yield [`${n} frees`, { ...world, mark: free, nodes: withNode({ read }) }];
    if (state === null) continue;
    if (state.kind === 'undecided') {
      for (const verb of ['commit', 'rollback'] as const)
        if (isNew(verb)) yield writes(verb, interned(byNode(decide(verb, 'producer'), name)));
      if (isOwner && isNew('ends it')) yield writes('ends it', interned(byNode(decide('rollback', 'ttl', true), '')));
      if (isOwner && state.asked === null && isNew(`asks ${state.asks}`))
        yield writes('asks', interned({ kind: 'asked', id, ask: state.asks, untilMs: 9 }));
      if (isOwner) yield writes('carries', interned({ kind: 'carry', id, ...facts, state, asOf: read - 1, epoch }));
    } else if (state.kind === 'committing') {
      if (!node.isFinishing && isNew('stores'))
        yield [`${n} stores`, { ...world, isStored: true, nodes: withNode({ read, isFinishing: true }) }];
      if (node.isFinishing && isNew('notes'))
        yield writes('notes', interned({ kind: 'done', id }), { isFinishing: false });
    }
  }
}

/** Whoever was asked answers, whatever has become of the transaction meanwhile, and maybe twice. */
function* answersIn(world: World): Generator<Step> {
  const asked = world.log.findLast((entry) => entry.kind === 'asked');
  if (asked?.kind !== 'asked') return;
  for (const says of ['commit', 'rollback', 'unknown'] as const)
    yield [
      `the answer is ${says}`,
      { ...world, log: [...world.log, interned({ kind: 'answer', id, ask: asked.ask, says })] },
    ];
}

/** Those behind the first one change nothing: more than one of them shows nothing more. */
const isOverdone = (log: readonly Entry[]) => log.filter((entry) => decisionOf(entry) !== null).length > 2;

function decisionOf(entry: Entry): 'commit' | 'rollback' | null {
  if (entry.kind === 'decide') return entry.verb;
  return entry.kind === 'answer' && (entry.says === 'commit' || entry.says === 'rollback') ? entry.says : null;
}

/** By the log alone, from its first record. */
function decisionIn(log: readonly Entry[]): 'commit' | 'rollback' | null {
  for (const entry of log) {
    const decision = decisionOf(entry);
    if (decision !== null) return decision;
  }
  return null;
}

function mustHold({ log, mark, isStored }: World, way: () => readonly string[]): void {
  const holds = (what: string, is: boolean) => {
    if (!is) throw new Error(`${what}: ${way().join(', ')}`);
  };
  const decision = decisionIn(log);
  const all = fold(log, 0, log.length);
  const kind = all.state?.kind ?? 'undecided';
  const wanted = { commit: ['committing', 'committed'], rollback: ['rolled-back', 'burying'], none: ['undecided'] };
  holds('what is stored was committed', !isStored || decision === 'commit');
  holds('the first decision holds', wanted[decision ?? 'none'].includes(kind));
  holds('what is committed is stored', kind !== 'committed' || isStored);
  // Whoever begins at the mark knows what is open exactly as whoever has read all of it, and raises nothing from the dead.
  const late = fold(log, mark, log.length);
  const isAlike = isDeepStrictEqual(late.state, all.state) && late.offset === all.offset;
  holds('whoever begins at the mark comes to the same', isAlike || (late.state === null && isOver(all.state ?? begun)));
}

/** Two nodes in each other's places are the same world. */
function hashOf({ log, mark, nodes, isStored }: World): string {
  const [one, other] = nodes.map(({ start, read, ready, isFinishing }) => `${start} ${read} ${ready} ${isFinishing}`);
  const rest = `${mark} ${isStored}`;
  const here = `${keyOf(log)} ${one} ${other} ${rest}`;
  const there = `${log.map((entry) => placeOf(entry).twin).join()} ${other} ${one} ${rest}`;
  return here < there ? here : there;
}

function* stepsOf(world: World): Generator<Step> {
  for (const n of [0, 1] as const) yield* stepsOfNode(world, n);
  yield* answersIn(world);
}

interface Reached {
  readonly at: World;
  readonly name: string;
  readonly before: Reached | null;
}

const wayTo = ({ name, before }: Reached): string[] => [...(before === null ? [] : wayTo(before)), name];

const first: Node = { start: 0, read: 1, ready: 1, isFinishing: false };
const beginning: World = {
  log: [interned({ kind: 'begin', id, ...facts })],
  mark: 0,
  nodes: [first, first],
  isStored: false,
};

describe('two nodes over one log', () => {
  test('one decision, on every node and for whoever comes later; stored only if it is commit', () => {
    // Level by level, so that each world is met first on a shortest way, and gone on from once.
    const seen = new Set([hashOf(beginning)]);
    let ahead: Reached[] = [{ at: beginning, name: 'begins', before: null }];
    for (let step = 0; step < depth; step += 1) {
      const found: Reached[] = [];
      for (const before of ahead) {
        for (const [name, at] of stepsOf(before.at)) {
          const hash = hashOf(at);
          if (seen.has(hash) || isOverdone(at.log)) continue;
          seen.add(hash);
          const reached = { at, name, before };
          mustHold(at, () => wayTo(reached));
          found.push(reached);
        }
      }
      ahead = found;
    }
    expect(seen.size).toBeGreaterThan(1000);
  }, 120_000);

  test('a carried one, and whoever begins at the mark behind it', () => {
    let at = beginning;
    for (const word of ['takes', 'carries', 'frees', 'commit']) {
      const step = [...stepsOfNode(at, 0)].findLast(([name]) => name.includes(word));
      if (step === undefined) throw new Error(`nobody ${word}`);
      [, at] = step;
      mustHold(at, () => [word]);
    }
    expect(at.mark).toBeGreaterThan(0);
  });
});
