// npm run chaos: torments the built program by a seed, prints what was done and what the books say; exit 1 on a broken promise.
import { parseArgs } from 'node:util';
import { ChaosRun } from '../test/support/chaos/chaos-run.ts';
import { nemeses } from '../test/support/chaos/nemeses.ts';
import { brokenPromises, textOfReport } from '../test/support/chaos/report.ts';
import { usualTopics } from '../test/support/chaos/topics.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    acts: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    nemesis: { type: 'string', default: Object.keys(nemeses).join(',') },
    rate: { type: 'string', default: '1500' },
    program: { type: 'string' },
    settings: { type: 'string', default: '{}' },
    consumer: { type: 'string', default: '{}' },
    answers: { type: 'string', default: '10' },
    between: { type: 'string', default: '1500' },
  },
});
const names = values.nemesis.split(',').filter((name) => name !== '');
const unknown = names.filter((name) => !(name in nemeses));
if (unknown.length > 0)
  throw new Error(`no such nemesis: ${unknown.join(', ')}; there are ${Object.keys(nemeses).join(', ')}`);
const seed = Number(values.seed);
process.stdout.write(`seed ${seed}, nemeses ${names.join(' ')}\n`);
const changes = JSON.parse(values.consumer) as Record<string, unknown>;
const run = new ChaosRun({
  seed,
  // --consumer '{"poison":"park"}' changes how the subscriptions are set.
  topics: usualTopics.map((topic) => ({ ...topic, consumer: { ...topic.consumer, ...changes } })),
  // So that a long run does not fill the disk.
  config: { 'broker.embedded.retention.ms': 5000, ...(JSON.parse(values.settings) as Record<string, unknown>) },
  receivers: 4,
  ...(values.program === undefined ? {} : { program: values.program }),
  bodyBytes: 200,
  answerMs: Number(values.answers),
  load: { callers: 16, keysOfCaller: 8, maxOpen: 20_000, perSecond: Number(values.rate) },
  nemeses: Object.fromEntries(Object.entries(nemeses).filter(([name]) => names.includes(name))),
  mostAnswers: Number(values.between),
  acts: Number(values.acts),
  minutes: Number(values.minutes),
  patienceMs: 40_000,
  redriveAtEnd: true,
  say: (line) => process.stdout.write(`${line}\n`),
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void run.close().finally(() => process.exit(1)));
}
const report = await run.run();
process.stdout.write(`${textOfReport({ ...report, log: [] })}\n`);
process.exitCode = brokenPromises(report).length === 0 ? 0 : 1;
