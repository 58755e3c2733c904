// A group on Kafka grows from one process to three and shrinks again under load: how long nothing is delivered, against stock kafkajs.
import type { BenchKafka } from '../support/bench-kafka.ts';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { oneDestination } from '../support/call-body.ts';
import { comparedFigure, type Figure } from '../support/figures.ts';
import type { HelperProcess } from '../support/helper-process.ts';
import type { Lab, LoadGenerator } from '../support/lab.ts';
import type { ReceiverCommands, SteadyLoad } from '../support/protocol.ts';
import { inTurns, sleep } from '../support/windows.ts';

const partitions = 8;
const perSecond = 300;
const connections = 32;
const concurrency = 100;
/** Longer than a round takes: it is ended. */
const longestLoadMs = 150_000;
const changeBoundMs = 40_000;
/** Behind each change, until what it has held up is through. */
const settleMs = 1000;
const changes = ['no change', '1 to 2 processes', '2 to 3', '3 to 2', '2 to 1'] as const;

/** One process of the group. */
interface Member {
  /** How many partitions it has. */
  assigned(): Promise<number>;
  leave(): Promise<void>;
}

/** What the receiver saw while one change was under way and settled. */
interface Seen {
  readonly gapMs: number;
  readonly waitMs: number;
}

interface Round {
  readonly seen: readonly Seen[];
  readonly repeated: number;
}

interface Side {
  readonly port: number;
  join(): Promise<Member>;
}

export async function kafkaGrowth(lab: Lab): Promise<Figure[]> {
  const kafka = await lab.kafka();
  const { receiver, origin } = await lab.receiver(0);
  const generator = lab.generator();
  const ours = await bigpipeSide(lab, kafka);
  const stock = await stockSide(lab, kafka, origin);
  let firstSequence = 1;
  const round = async (side: Side): Promise<Round> => {
    const load = {
      port: side.port,
      connections,
      callUrl: `${origin}/hook`,
      ...oneDestination,
      firstSequence,
      perSecond,
    };
    const { accepted, ...seen } = await oneRound(side, generator, receiver, load);
    firstSequence += accepted;
    return seen;
  };
  const pairs = await inTurns(
    lab.quick ? 2 : 4,
    () => round(ours),
    () => round(stock),
  );
  const reference = 'stock kafkajs consumers';
  const rows = (what: string, of: (seen: Seen) => number) =>
    changes.map((change, i) =>
      comparedFigure(
        {
          name: `${what}, ${change}`,
          unit: 'ms',
          reference,
          how: 'ratio',
        },
        pairs.map((pair) => ({ ours: of(pair.ours.seen[i] as Seen), limit: of(pair.limit.seen[i] as Seen) })),
      ),
    );
  const repeats = pairs.map((pair) => ({ ours: pair.ours.repeated, limit: pair.limit.repeated }));
  return [
    ...rows('longest gap without a delivery', ({ gapMs }) => gapMs),
    ...rows('longest wait of a call', ({ waitMs }) => waitMs),
    comparedFigure({ name: 'calls delivered twice in a round', unit: '', reference, how: 'above' }, repeats),
  ];
}

async function oneRound(
  side: Side,
  generator: LoadGenerator,
  receiver: HelperProcess<ReceiverCommands>,
  load: Omit<SteadyLoad, 'durationMs'>,
): Promise<Round & { accepted: number }> {
  const members = [await side.join()];
  await settled(members);
  await receiver.call('reset', null);
  const calls = generator.call('steady', { ...load, durationMs: longestLoadMs });
  const seen: Seen[] = [];
  const watch = async (change: () => Promise<unknown>) => {
    await receiver.call('gaps', null);
    await change();
    await settled(members);
    await sleep(settleMs);
    const { maxMs, longestWaitMs } = await receiver.call('gaps', null);
    seen.push({ gapMs: maxMs, waitMs: longestWaitMs });
  };
  const grow = async () => members.push(await side.join());
  const shrink = () => members.pop()?.leave();
  await sleep(settleMs);
  await watch(() => sleep(settleMs));
  await watch(grow);
  await watch(grow);
  await watch(async () => shrink());
  await watch(async () => shrink());
  await generator.call('end', null);
  const { accepted, refused, sample } = await calls;
  if (refused > 0) throw new Error(`${refused} calls were not accepted, such as: ${sample}`);
  const { distinct, repeated } = await receiver.call('await', { distinct: accepted, timeoutMs: 30_000 });
  if (distinct !== accepted) throw new Error(`${accepted - distinct} of ${accepted} calls did not arrive`);
  await shrink();
  return { seen, repeated, accepted };
}

/** Resolves when each member has its part of all partitions. */
async function settled(members: readonly Member[]): Promise<void> {
  const endMs = performance.now() + changeBoundMs;
  for (;;) {
    const counts = await Promise.all(members.map((member) => member.assigned()));
    const fair = Math.floor(partitions / members.length);
    if (counts.every((count) => count >= fair) && counts.reduce((sum, count) => sum + count, 0) === partitions) return;
    if (performance.now() > endMs) throw new Error(`the group has not settled: ${counts.join(', ')} partitions`);
    await sleep(20);
  }
}

/** A process that only accepts stands in front of either group, so that the members do nothing but deliver. */
async function door(lab: Lab, kafka: BenchKafka, topic: string): Promise<BigpipeApp> {
  const directory = await lab.directory();
  return lab.app({ directory, concurrency: null, partitions, kafka: { servers: kafka.servers, topic } });
}

async function bigpipeSide(lab: Lab, kafka: BenchKafka): Promise<Side> {
  const topic = kafka.nameOf('ours');
  const { port } = await door(lab, kafka, topic);
  const join = async (): Promise<Member> => {
    const directory = await lab.directory();
    const app = await lab.app({ directory, concurrency, partitions, kafka: { servers: kafka.servers, topic } });
    const assigned = async () => {
      const { members = [] } = (await app.stats()).brokerStats;
      return members.flatMap((member) => member.assigned).filter((name) => name.startsWith(`${topic}/`)).length;
    };
    return { assigned, leave: () => app.stop() };
  };
  return { port, join };
}

async function stockSide(lab: Lab, kafka: BenchKafka, origin: string): Promise<Side> {
  const topic = kafka.nameOf('stock');
  const { port } = await door(lab, kafka, topic);
  const join = async (): Promise<Member> => {
    const consumer = lab.bareConsumer();
    await consumer.call('join', { servers: kafka.servers, topic, origin });
    const leave = async () => {
      await consumer.call('leave', null);
      await consumer.stop();
    };
    return { assigned: async () => (await consumer.call('assigned', null)).partitions, leave };
  };
  return { port, join };
}
