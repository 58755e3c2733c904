// npm run bench: measures the built program beside its limits, prints a table, keeps the day's results.
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { goals } from './goals.ts';
import { accept } from './scenarios/accept.ts';
import { acceptAndDeliver } from './scenarios/accept-and-deliver.ts';
import { backlog } from './scenarios/backlog.ts';
import { openConsole } from './scenarios/console.ts';
import { delayed } from './scenarios/delayed.ts';
import { doors } from './scenarios/doors.ts';
import { egress } from './scenarios/egress.ts';
import { embeddedAppend } from './scenarios/embedded-append.ts';
import { endToEnd } from './scenarios/end-to-end.ts';
import { isolation } from './scenarios/isolation.ts';
import { kafkaAppend } from './scenarios/kafka-append.ts';
import { kafkaGrowth } from './scenarios/kafka-growth.ts';
import { memory } from './scenarios/memory.ts';
import { memoryKeys } from './scenarios/memory-keys.ts';
import { observed } from './scenarios/observed.ts';
import { overflow } from './scenarios/overflow.ts';
import { park } from './scenarios/park.ts';
import { pull } from './scenarios/pull.ts';
import { ramp } from './scenarios/ramp.ts';
import { redrive } from './scenarios/redrive.ts';
import { reloads } from './scenarios/reloads.ts';
import { reply } from './scenarios/reply.ts';
import { retryBudget } from './scenarios/retry-budget.ts';
import { subscriptions } from './scenarios/subscriptions.ts';
import { throttling } from './scenarios/throttling.ts';
import { transactions } from './scenarios/transactions.ts';
import { workers } from './scenarios/workers.ts';
import { whyNoKafka } from './support/bench-kafka.ts';
import type { Figure } from './support/figures.ts';
import { Lab } from './support/lab.ts';
import { machineSeconds, ownCpuSeconds } from './support/proc.ts';
import { type Report, type ScenarioReport, tableOf } from './support/report.ts';

/** No run takes longer: what hangs ends. */
const wholeRunMs = 1_800_000;

const scenarios: Record<string, (lab: Lab) => Promise<Figure[]>> = {
  'accept-64': (lab) => accept(lab, { broker: 'embedded', connections: 64, goal: goals.accepted }),
  'accept-256': (lab) => accept(lab, { broker: 'embedded', connections: 256 }),
  doors: (lab) => doors(lab, goals.doors),
  transactions: (lab) => transactions(lab, goals.transactions),
  delayed: (lab) => delayed(lab, goals.delayed, false),
  'delayed-killed': (lab) => delayed(lab, goals.delayed, true),
  'accept-and-deliver': (lab) => acceptAndDeliver(lab, { rate: goals.acceptedAndDelivered, cpu: goals.cpu }),
  'backlog-0ms': (lab) =>
    backlog(lab, {
      name: 'backlog delivered, receiver 0 ms',
      broker: 'embedded',
      delayMs: 0,
      messages: lab.quick ? 60_000 : 100_000,
      pairs: lab.quick ? 3 : 5,
      windowMs: lab.quick ? 400 : 500,
      toTheEnd: true,
      goal: goals.backlogAtOnce,
    }),
  'backlog-50ms': (lab) =>
    backlog(lab, {
      name: 'backlog delivered, receiver 50 ms',
      broker: 'embedded',
      delayMs: 50,
      messages: lab.quick ? 30_000 : 100_000,
      pairs: 3,
      windowMs: lab.quick ? 1500 : 4000,
      toTheEnd: false,
      goal: goals.backlogSlow,
    }),
  'end-to-end': (lab) => endToEnd(lab, goals.endToEnd),
  reply: (lab) => reply(lab, goals.reply),
  'embedded-append': (lab) => embeddedAppend(lab, goals.append),
  memory: (lab) => memory(lab, goals.resident),
  'memory-keys': (lab) => memoryKeys(lab, { flat: goals.flat, most: goals.resident }),
  isolation: (lab) => isolation(lab, goals.isolation),
  'retry-budget': (lab) => retryBudget(lab, goals.firstAttempts),
  observed: (lab) => observed(lab, goals.observed),
  overflow: (lab) => overflow(lab, goals.overflow),
  park: (lab) => park(lab, goals.park),
  redrive: (lab) => redrive(lab, goals.redrive),
  pull: (lab) => pull(lab, goals.fetched),
  subscriptions: (lab) => subscriptions(lab, goals.subscriptions),
  ramp: (lab) => ramp(lab, goals.ramp),
  egress: (lab) => egress(lab, goals.egress),
  throttling: (lab) => throttling(lab, goals.throttling),
  console: (lab) => openConsole(lab, goals.console),
  reloads: (lab) => reloads(lab, goals.pause),
  workers: (lab) => workers(lab, 64, goals.gain),
  'kafka-append': (lab) => kafkaAppend(lab, goals.kafka.append),
  'kafka-accept': (lab) => accept(lab, { broker: 'kafka', connections: 64, goal: goals.kafka.accepted }),
  'kafka-backlog': (lab) =>
    backlog(lab, {
      name: 'backlog on Kafka delivered, receiver 0 ms',
      broker: 'kafka',
      delayMs: 0,
      messages: lab.quick ? 60_000 : 150_000,
      pairs: lab.quick ? 3 : 5,
      windowMs: lab.quick ? 400 : 500,
      toTheEnd: true,
      goal: goals.kafka.backlog,
    }),
  'kafka-growth': (lab) => kafkaGrowth(lab),
};

const onKafka = (name: string) => name.startsWith('kafka-');

interface Options {
  readonly json: boolean;
  readonly quick: boolean;
  readonly names: readonly string[];
  readonly directory: string;
  readonly profiles: string | null;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      profiles: { type: 'string' },
    },
  });
  const names = values.only?.split(',') ?? Object.keys(scenarios);
  const unknown = names.filter((name) => !(name in scenarios));
  if (unknown.length > 0) {
    throw new Error(`no such scenario: ${unknown.join(', ')}; there are ${Object.keys(scenarios).join(', ')}`);
  }
  const { json, quick, directory, profiles = null } = values;
  return { json, quick, names, directory, profiles };
}

const say = (text: string) => process.stderr.write(`${text}\n`);

let underWay: Lab | null = null;
let isOver = false;

async function measure(name: string, { quick, directory, profiles }: Options): Promise<ScenarioReport> {
  say(`${name} ...`);
  const lab = new Lab({ base: directory, quick, profiles, say });
  underWay = lab;
  const startedMs = performance.now();
  const before = { machine: machineSeconds(), own: ownCpuSeconds() };
  let figures: readonly Figure[];
  try {
    figures = await (scenarios[name] as (lab: Lab) => Promise<Figure[]>)(lab);
  } finally {
    await lab.close();
    underWay = null;
  }
  const machine = machineSeconds();
  const others = machine.busy - before.machine.busy - (ownCpuSeconds() - before.own);
  const foreignPercent = (Math.max(0, others) * 100) / (machine.all - before.machine.all);
  return { name, seconds: (performance.now() - startedMs) / 1000, foreignPercent, figures };
}

async function main(): Promise<void> {
  const chosen = options();
  const startedMs = performance.now();
  const reports: ScenarioReport[] = [];
  const noKafka = chosen.names.some(onKafka) ? await whyNoKafka() : null;
  for (const name of chosen.names) {
    if (onKafka(name) && noKafka !== null) {
      say(`SKIPPED ${name}: ${noKafka}`);
      continue;
    }
    try {
      reports.push(await measure(name, chosen));
    } catch (error) {
      // giveUp cleans up and ends the process.
      if (isOver) return;
      // The other scenarios are still worth having.
      say(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = 1;
    }
  }
  const skipped = chosen.names.filter((name) => onKafka(name) && noKafka !== null);
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    processors: availableParallelism(),
    quick: chosen.quick,
    seconds: (performance.now() - startedMs) / 1000,
    scenarios: reports,
    skipped,
  };
  const json = `${JSON.stringify(report, null, 2)}\n`;
  // A part, or a try, is not the day's result.
  if (!chosen.quick && chosen.profiles === null && reports.length === Object.keys(scenarios).length) {
    const results = new URL('./results/', import.meta.url);
    await mkdir(results, { recursive: true });
    await writeFile(new URL(`${report.date}.json`, results), json);
  }
  process.stdout.write(chosen.json ? json : `${tableOf(report)}\n`);
}

async function giveUp(why: string): Promise<void> {
  isOver = true;
  say(why);
  await underWay?.close();
  process.exit(1);
}

process.once('SIGINT', () => void giveUp('interrupted'));
process.once('SIGTERM', () => void giveUp('ended'));
setTimeout(() => void giveUp('the bench took too long'), wholeRunMs).unref();
await main();
