// The log alone: durable appends of many callers, against raw writes of the same bytes with one fdatasync a batch.
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { type Appended, appendedPerSecond } from '../support/protocol.ts';
import { inTurns } from '../support/windows.ts';

const callers = 64;

export async function embeddedAppend(lab: Lab, goal: Goal): Promise<Figure[]> {
  const directory = await lab.directory();
  const durationMs = lab.quick ? 500 : 700;
  const log = lab.appender('embedded-append');
  const raw = lab.appender('raw-append');
  await log.call('open', { directory, callers });
  await raw.call('open', { directory, callers });
  const pairs = await inTurns(
    lab.quick ? 3 : 8,
    () => log.call('run', { durationMs }),
    () => raw.call('run', { durationMs }),
  );
  await log.call('close', null);
  await raw.call('close', null);
  const between = (of: (result: Appended) => number) =>
    pairs.map(({ ours, limit }) => ({ ours: of(ours), limit: of(limit) }));
  const reference = 'raw writes, a fdatasync a batch';
  const name = `embedded append, ${callers} callers`;
  return [
    comparedFigure({ name, unit: '/s', reference, how: 'ratio', goal }, between(appendedPerSecond)),
    comparedFigure(
      { name: `${name}, p99`, unit: 'ms', reference, how: 'above' },
      between((r) => r.latency.p99Ms),
    ),
  ];
}
