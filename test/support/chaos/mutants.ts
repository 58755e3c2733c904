// Programs that break one promise each, so that the books can be seen to fail: one text of the built program replaced by another.

import type { Nemesis } from './nemesis.ts';
import { kill, term } from './process-nemeses.ts';
import { rejects as rejectsSome, receivers as sickReceivers } from './receiver-nemeses.ts';
import type { ShortRun } from './short-run.ts';
import { usualTopics } from './topics.ts';

export interface Mutant {
  readonly name: string;
  /** Under dist. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly text: string;
  readonly becomes: string;
  /** What comes over it. */
  readonly run: ShortRun;
  /** Of what the books say, what shows that it was this promise. */
  readonly shows: RegExp;
}

/** More than a window holds: what stands still goes to the overflow. */
const callsWhileGone = 4000;
const goneForMs = 30_000;

/** One receiver dies, until the overflow is in use, and comes back. */
const dies: Nemesis = {
  weight: 1,
  act: async (world, load) => {
    const [receiver] = world.receivers;
    await receiver?.become({ mood: 'gone', share: 1, delayMs: 0 });
    const enough = load.answers + callsWhileGone;
    const end = performance.now() + goneForMs;
    while (load.answers < enough && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await receiver?.become(world.calm);
    return 'receiver 0 was gone';
  },
};

/** All wait in lanes or not at all, and nothing for long. */
const [orders = usualTopics[0] as never] = usualTopics;
const impatient = { ...orders, consumer: { ...orders.consumer, retries: 2, retryBackoff: [20, 50] } };
const parking = { ...orders, consumer: { ...orders.consumer, poison: 'park' } };

const short = { only: [], topics: [orders], patienceMs: 5000 };
/** Much is under way when it is killed. */
const slowly = { ...orders, consumer: { ...orders.consumer, timeout: 20_000, concurrency: 400 } };
const kills: ShortRun = { ...short, topics: [slowly], answerMs: 300, nemeses: { kill }, acts: 1 };
const terms: ShortRun = { ...kills, nemeses: { term } };
const sick: ShortRun = { ...short, nemeses: { receivers: sickReceivers }, acts: 6 };
const dead: ShortRun = {
  ...short,
  topics: [{ ...orders, partitions: 1, keyedShare: 1 }],
  nemeses: { dies },
  receivers: 2,
  acts: 1,
  load: { callers: 12, keysOfCaller: 6, maxOpen: 10_000, perSecond: 3000 },
};
const rejected: ShortRun = { ...short, topics: [impatient], nemeses: { rejects: rejectsSome }, acts: 4 };
const parked: ShortRun = { ...rejected, topics: [parking] };

const lost = /^\d+ lost/;
const outOfOrder = /^\d+ (early|late|overlap)/;

export const mutants: readonly Mutant[] = [
  {
    name: 'a commit before the delivery',
    file: 'dispatcher/window/offset-tracker.js',
    text: 'if (first !== undefined) return first;',
    becomes: 'if (first !== undefined) return this.nextOffset;',
    run: kills,
    shows: lost,
  },
  {
    name: 'a commit that names too much as settled',
    file: 'dispatcher/window/offset-tracker.js',
    text: 'from = offset + 1n;',
    becomes: 'from = offset;',
    run: kills,
    shows: lost,
  },
  {
    name: 'a repeat that does not say so',
    file: 'dispatcher/window/partition-window.js',
    text: 'return offset >= this.endAtStart ? null : this.tracker.handedOutBefore(offset);',
    becomes: 'return null;',
    run: kills,
    shows: /^\d+ unnamed/,
  },
  {
    name: 'a lost append',
    file: 'broker/drivers/embedded/sqlite.writer.js',
    text: 'this.tables.writable(topicId, partition).insert.run(base, count, timestampMs, chunk);',
    becomes:
      'if (base % 3 !== 1) this.tables.writable(topicId, partition).insert.run(base, count, timestampMs, chunk);',
    run: kills,
    shows: lost,
  },
  {
    name: 'a drain without its last commit',
    file: 'dispatcher/window/committer.js',
    text: 'if (!window.isDirty) return;',
    becomes: 'if (!window.isDirty || window.closed) return;',
    run: terms,
    shows: /^\d+ crash-without-kill/,
  },
  {
    name: 'a reordered lane',
    file: 'dispatcher/window/lanes.js',
    text: 'lane.push(item);',
    becomes: 'lane.splice(1, 0, item);',
    run: sick,
    shows: outOfOrder,
  },
  {
    name: 'a failed attempt taken for the end',
    file: 'dispatcher/sending/deliverer.js',
    text: 'this.retryLater(attempt, outcome.reason, outcome.waitMs);',
    becomes: 'this.settle(attempt);',
    run: sick,
    shows: lost,
  },
  {
    name: 'a dead letter that is not written',
    file: 'dispatcher/sending/deliverer.js',
    text: 'giveUp(work, note, (burial)=>{',
    becomes: "((_work, _note, then)=>then('buried'))(work, note, (burial)=>{",
    run: rejected,
    shows: lost,
  },
  {
    name: 'a dropped spill',
    file: 'dispatcher/overflow/mover.js',
    text: 'if (open.length > 0) positions = await',
    becomes: "if (open.length > 0 && open[0].to !== 'overflow') positions = await",
    run: dead,
    shows: lost,
  },
  {
    name: 'a spill that is overtaken',
    file: 'dispatcher/window/intake.js',
    text: 'const unread = Math.max(left, owned.spills.highestUnread(work));',
    becomes: 'const unread = 0;',
    run: dead,
    shows: outOfOrder,
  },
  {
    name: 'a spill that changes the body',
    file: 'dispatcher/overflow/mover.js',
    text: 'body: source.body,',
    becomes: 'body: source.body.subarray(1),',
    run: dead,
    shows: /^\d+ changed/,
  },
  {
    name: 'a redrive that settles first',
    file: 'dispatcher/dead-letters/redrive.js',
    text: 'sender.send(work);',
    becomes: 'this.toSettle.push(work);\n        this.settling ??= this.settle();\n        sender.send(work);',
    run: rejected,
    shows: lost,
  },
  {
    name: 'a reordered park',
    file: 'dispatcher/dead-letters/redrive.js',
    text: 'for (const letter of wanted)await',
    becomes: 'for (const letter of wanted.toReversed())await',
    run: parked,
    shows: outOfOrder,
  },
];
