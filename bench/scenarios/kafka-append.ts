// The log on Kafka alone: durable appends of many callers, against a bare kafkajs in its safe mode that batches alike.
import { strict as assert } from 'node:assert';
import { hasJava, kafkaTool } from '../../kafka/local-cluster.ts';
import type { BenchKafka } from '../support/bench-kafka.ts';
import { dataBytes } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { type Appended, appendedPerSecond } from '../support/protocol.ts';
import { inTurns, pairsToCompile } from '../support/windows.ts';

const callers = 64;
const partitions = 8;
const lingerMs = 1;

export async function kafkaAppend(lab: Lab, goal: Goal): Promise<Figure[]> {
  const durationMs = lab.quick ? 800 : 1200;
  const kafka = await lab.kafka();
  const sideOf = async (kind: 'kafka-append' | 'bare-kafkajs') => {
    const process = lab.kafkaAppender(kind);
    const topic = await kafka.topic(kind, partitions);
    await process.call('open', { servers: kafka.servers, topic, partitions, lingerMs, callers });
    let total = 0;
    return {
      run: async () => {
        const result = await process.call('run', { durationMs });
        total += result.appended;
        return result;
      },
      end: async () => {
        await process.call('close', null);
        assert.equal(await kafka.countOf(topic), total, `${kind}: what was acknowledged stands in the log, once`);
      },
    };
  };
  const ours = await sideOf('kafka-append');
  const bare = await sideOf('bare-kafkajs');
  const pairs = await inTurns(lab.quick ? 3 : 10, ours.run, bare.run, pairsToCompile);
  await ours.end();
  await bare.end();
  const between = (of: (result: Appended) => number) =>
    pairs.map((pair) => ({ ours: of(pair.ours), limit: of(pair.limit) }));
  const reference = 'bare kafkajs, safe mode';
  const name = `Kafka append, ${callers} callers`;
  return [
    comparedFigure({ name, unit: '/s', reference, how: 'ratio', goal }, between(appendedPerSecond)),
    comparedFigure(
      { name: `${name}, CPU`, unit: 's/100k', reference, how: 'ratio' },
      between(({ appended, cpuSeconds }) => (cpuSeconds * 100_000) / appended),
    ),
    comparedFigure(
      { name: `${name}, p99`, unit: 'ms', reference, how: 'above' },
      between(({ latency }) => latency.p99Ms),
    ),
    ...(await javaFigures(lab, kafka)),
  ];
}

/** The Java producer, which nobody waits for: it sends as fast as its 32 MiB of buffer take more. */
async function javaFigures(lab: Lab, kafka: BenchKafka): Promise<Figure[]> {
  if (!(await hasJava())) return [];
  const topic = await kafka.topic('java', partitions);
  const records = lab.quick ? 100_000 : 300_000;
  const load = [
    '--num-records',
    records,
    '--warmup-records',
    records / 5,
    '--record-size',
    dataBytes,
    '--throughput',
    -1,
  ];
  const how = ['acks=all', `linger.ms=${lingerMs}`];
  const args = ['--bootstrap-server', kafka.servers, '--topic', topic, ...load, '--command-property', ...how];
  const rates: number[] = [];
  for (let run = 0; run < (lab.quick ? 1 : 3); run += 1) {
    rates.push(steadyRate(await kafkaTool('org.apache.kafka.tools.ProducerPerformance', ...args.map(String))));
  }
  return [{ name: 'Kafka append, its own kafka-producer-perf-test', unit: '/s', value: median(rates) }];
}

/** Of the last line, which leaves the warm-up out. */
function steadyRate(printed: string): number {
  const rate = /([\d.]+) records\/sec/.exec(printed.trim().split('\n').at(-1) ?? '')?.[1];
  if (rate === undefined) throw new Error(`the perf test printed no rate: ${printed}`);
  return Number(rate);
}
