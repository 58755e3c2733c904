// npm run bench: measures the built program beside its limits, prints a table, keeps the day's results; or compares two results.
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { goals } from './goals.ts';
import { accept } from './scenarios/accept.ts';
import { acceptAndDeliver } from './scenarios/accept-and-deliver.ts';
import { backlog } from './scenarios/backlog.ts';
import { batch } from './scenarios/batch.ts';
import { openConsole } from './scenarios/console.ts';
import { deadReceivers } from './scenarios/dead-receivers.ts';
import { delayed } from './scenarios/delayed.ts';
import { doors } from './scenarios/doors.ts';
import { egress } from './scenarios/egress.ts';
import { embeddedAppend } from './scenarios/embedded-append.ts';
import { endToEnd } from './scenarios/end-to-end.ts';
import { growth } from './scenarios/growth.ts';
import { isolation } from './scenarios/isolation.ts';
import { kafkaAppend } from './scenarios/kafka-append.ts';
import { kafkaGrowth } from './scenarios/kafka-growth.ts';
import { latency } from './scenarios/latency.ts';
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
import { moreProcessors, workers } from './scenarios/workers.ts';
import { BenchRun, type RunOptions, type Scenario, type Scenarios } from './support/bench-run.ts';
import { compareReports } from './support/compare.ts';
import { comparisonText } from './support/comparison-text.ts';
import { tableOf } from './support/report.ts';
import { baselineFile, drawCurves, jsonOf, keepResult, readResult } from './support/results.ts';

/** No run takes longer, unless --minutes-at-most says so: what hangs ends. */
const wholeRunMinutes = 30;
/** The short bench that CI compares with what is kept is ended after it. */
const shortRunMs = 75_000;

const scenarios: Scenarios = {
  'accept-64': (lab) => accept(lab, { broker: 'embedded', connections: 64, goal: goals.accepted }),
  'accept-256': (lab) => accept(lab, { broker: 'embedded', connections: 256 }),
  doors: (lab) => doors(lab, goals.doors),
  batch: (lab) => batch(lab, goals.batch),
  transactions: (lab) => transactions(lab, goals.transactions),
  delayed: (lab) => delayed(lab, goals.delayed, false),
  'delayed-killed': (lab) => delayed(lab, goals.delayed, true),
  'accept-and-deliver': (lab) => acceptAndDeliver(lab, { rate: goals.acceptedAndDelivered, cpu: goals.cpu }),
  'backlog-0ms': (lab) =>
    backlog(lab, {
      name: 'backlog delivered, receiver 0 ms',
      broker: 'embedded',
      delayMs: 0,
      messages: lab.quick ? 120_000 : 200_000,
      pairs: lab.quick ? 3 : 7,
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
  'more-processors': (lab) => moreProcessors(lab, goals.gain),
  latency: (lab) => latency(lab, goals.latency),
  'dead-receivers': (lab) => deadReceivers(lab, goals.deadReceivers),
  growth: (lab) => growth(lab, goals.growth),
  'kafka-append': (lab) => kafkaAppend(lab, goals.kafka.append),
  'kafka-accept': (lab) => accept(lab, { broker: 'kafka', connections: 64, goal: goals.kafka.accepted }),
  'kafka-backlog': (lab) =>
    backlog(lab, {
      name: 'backlog on Kafka delivered, receiver 0 ms',
      broker: 'kafka',
      delayMs: 0,
      messages: lab.quick ? 120_000 : 200_000,
      pairs: lab.quick ? 3 : 7,
      windowMs: lab.quick ? 400 : 500,
      toTheEnd: true,
      goal: goals.kafka.backlog,
    }),
  'kafka-growth': (lab) => kafkaGrowth(lab),
};

const shortCalls = 3000;
/** What most depends on, within a minute; what takes longest comes last, for then the time may be up. */
const short: Scenarios = {
  'accept-64': scenarios['accept-64'] as Scenario,
  'embedded-append': scenarios['embedded-append'] as Scenario,
  'accept-and-deliver': (lab) =>
    acceptAndDeliver(lab, { rate: goals.acceptedAndDelivered, cpu: goals.cpu }, shortCalls),
};

/** They take long, or much room, or root: only who names them gets them. */
const onlyByName: readonly string[] = ['growth', 'latency', 'dead-receivers', 'more-processors'];

const usage = `usage: npm run bench [-- SCENARIO ...] [--quick] [--json]
       npm run bench -- compare OLD.json NEW.json [--json]
       npm run bench -- baseline [--keep]
scenarios: ${Object.keys(scenarios).join(', ')}`;

const say = (text: string) => process.stderr.write(`${text}\n`);

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      only: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      drawing: { type: 'string' },
      most: { type: 'string' },
      axes: { type: 'string' },
      points: { type: 'string' },
      bytes: { type: 'string' },
      minutes: { type: 'string' },
      profiles: { type: 'string' },
      'minutes-at-most': { type: 'string', default: String(wholeRunMinutes) },
    },
  });
}

type Values = ReturnType<typeof readArguments>['values'];

function refuse(why: string): never {
  say(`${why}\n${usage}`);
  process.exit(64);
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) refuse(`--${name}: found ${text}, allowed: a number above 0`);
  return value;
}

function optionsOf(values: Values, longestMs: number): RunOptions {
  const { quick, directory, profiles = null } = values;
  const size = (name: 'most' | 'bytes' | 'minutes') => {
    const text = values[name];
    return text === undefined ? null : numberOf(name, text);
  };
  const axes = values.axes?.split(',') ?? null;
  const points = values.points?.split(',').map((text) => numberOf('points', text)) ?? null;
  const sizes = { axes, points, most: size('most'), backlogBytes: size('bytes'), minutes: size('minutes') };
  return { base: directory, quick, profiles, sizes, say, longestMs };
}

/** Its lab ends with it, also when somebody ends the bench. */
function begin(of: Scenarios, options: RunOptions): BenchRun {
  const run = new BenchRun(of, options);
  const end = async (why: string) => {
    await run.end(why);
    process.exit(1);
  };
  process.once('SIGINT', () => void end('interrupted'));
  process.once('SIGTERM', () => void end('told to end'));
  return run;
}

async function measure(names: readonly string[], values: Values): Promise<void> {
  const unknown = names.filter((name) => !(name in scenarios));
  if (unknown.length > 0) refuse(`no such scenario: ${unknown.join(', ')}`);
  const usual = Object.keys(scenarios).filter((name) => !onlyByName.includes(name));
  const chosen = names.length === 0 ? usual : names;
  const run = begin(scenarios, optionsOf(values, numberOf('minutes-at-most', values['minutes-at-most']) * 60_000));
  const report = await run.measure(chosen);
  // A part, or a try, is not the day's result.
  const isWhole = !values.quick && values.profiles === undefined && report.scenarios.length === chosen.length;
  const [only] = chosen;
  if (isWhole && names.length === 0) await keepResult(report, null);
  else if (isWhole && only !== undefined && chosen.length === 1 && onlyByName.includes(only))
    await keepResult(report, only);
  if (values.drawing !== undefined) await drawCurves(report, values.drawing);
  process.stdout.write(values.json ? jsonOf(report) : `${tableOf(report)}\n`);
  if (run.failures > 0) process.exitCode = 1;
}

async function compare(files: readonly string[], { json }: Values): Promise<void> {
  const [old, now] = files;
  if (old === undefined || now === undefined || files.length > 2) refuse('compare takes two files');
  try {
    const comparison = compareReports(await readResult(old), await readResult(now));
    process.stdout.write(json ? `${JSON.stringify(comparison, null, 2)}\n` : `${comparisonText(comparison)}\n`);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
}

/** The short bench against what is kept of it; with --keep it is kept. */
async function baseline(values: Values): Promise<void> {
  const run = begin(short, { ...optionsOf(values, shortRunMs), quick: true });
  const report = await run.measure(Object.keys(short));
  if (values.keep) {
    if (run.failures > 0 || report.skipped.length > 0) refuse('not kept: the short bench is not complete');
    await writeFile(baselineFile, jsonOf(report));
    process.stdout.write(`${tableOf(report)}\n`);
    return;
  }
  const comparison = compareReports(await readResult(baselineFile), report);
  process.stdout.write(values.json ? `${JSON.stringify(comparison, null, 2)}\n` : `${comparisonText(comparison)}\n`);
}

const { values, positionals } = readArguments();
const [command, ...rest] = positionals;
if (command === 'compare') await compare(rest, values);
else if (command === 'baseline') await baseline(values);
else await measure([...positionals, ...(values.only?.split(',') ?? [])], values);
