// How fast a backlog is delivered, against bare undici with as many requests in flight to the same receiver.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { HelperProcess } from '../support/helper-process.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import type { ReceiverCommands, SenderCommands } from '../support/protocol.ts';
import { inTurns, sleep } from '../support/windows.ts';

const concurrency = 100;
/** After the program was frozen or thawed: until what was in flight is through, delays and all. */
const settleMs = 120;
/** Deliveries after which a program as large as ours is compiled to its end, or the part of the backlog that is spent on it; the reference gets as many. */
const toCompile = 40_000;
const partToCompile = 1 / 3;
/** They must have come by then. */
const compiledWithinMs = 60_000;

interface Setting {
  readonly name: string;
  readonly broker: 'embedded' | 'kafka';
  readonly delayMs: number;
  readonly messages: number;
  readonly pairs: number;
  readonly windowMs: number;
  /** Also see to it that everything arrives in the end. */
  readonly toTheEnd: boolean;
  readonly goal: Goal;
}

export async function backlog(lab: Lab, setting: Setting): Promise<Figure[]> {
  const { receiver, origin } = await lab.receiver(setting.delayMs);
  const directory = await lab.directory();
  const kafka = setting.broker === 'kafka' ? await lab.kafka() : null;
  const log = kafka === null ? {} : { kafka: { servers: kafka.servers, topic: kafka.nameOf('backlog') } };
  await lab.fill(directory, `${origin}/hook`, setting.messages, log);
  const sender = lab.sender();
  const app = await lab.app({ directory, concurrency, ...log });
  const warmUp = Math.min(toCompile, setting.messages * partToCompile);
  await receiver.call('await', { distinct: warmUp, timeoutMs: compiledWithinMs });
  app.freeze();
  await sender.call('send', { origin, concurrency, count: warmUp, durationMs: compiledWithinMs });
  const pairs = await inTurns(
    setting.pairs,
    () => oneWindow(app, receiver, setting),
    () => oneReference(sender, origin, setting.windowMs),
  );
  const { name, goal } = setting;
  const figures = [
    comparedFigure(
      { name, unit: '/s', reference: `bare undici, ${concurrency} in flight`, how: 'ratio', goal },
      pairs.map(({ ours, limit }) => ({ ours: ours.perSecond, limit: limit.perSecond })),
    ),
    comparedFigure(
      { name: `${name}, CPU`, unit: 's/100k', reference: 'bare undici', how: 'ratio' },
      pairs.map(({ ours, limit }) => ({ ours: ours.cpu, limit: limit.cpu })),
    ),
  ];
  app.thaw();
  if (setting.toTheEnd) await checkComplete(receiver, setting.messages);
  return figures;
}

async function oneWindow(app: BigpipeApp, receiver: HelperProcess<ReceiverCommands>, { windowMs, messages }: Setting) {
  app.thaw();
  await sleep(settleMs);
  const cpuBefore = cpuSeconds(app.pid);
  const before = await receiver.call('count', null);
  await sleep(windowMs);
  const after = await receiver.call('count', null);
  const cpu = cpuSeconds(app.pid) - cpuBefore;
  app.freeze();
  await sleep(settleMs);
  if (after.distinct >= messages) return null;
  const delivered = after.distinct - before.distinct;
  return { perSecond: (delivered * 1000) / (after.lastMs - before.lastMs), cpu: (cpu * 100_000) / delivered };
}

async function oneReference(sender: HelperProcess<SenderCommands>, origin: string, durationMs: number) {
  const cpuBefore = cpuSeconds(sender.pid);
  const count = Number.MAX_SAFE_INTEGER;
  const { sent, failed, elapsedMs } = await sender.call('send', { origin, concurrency, count, durationMs });
  if (failed > 0) throw new Error(`${failed} sends of the reference failed`);
  return { perSecond: (sent * 1000) / elapsedMs, cpu: ((cpuSeconds(sender.pid) - cpuBefore) * 100_000) / sent };
}

/** Everything arrives, and nothing twice: nobody crashed and nobody failed. */
async function checkComplete(receiver: HelperProcess<ReceiverCommands>, messages: number): Promise<void> {
  const { distinct, repeated } = await receiver.call('await', { distinct: messages, timeoutMs: 60_000 });
  assert.deepEqual({ distinct, repeated }, { distinct: messages, repeated: 0 });
}
