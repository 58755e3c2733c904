// What the egress guard costs a delivery: its own time, and the program's HTTP target with it and without it.
import { strict as assert } from 'node:assert';
import { guardNs } from '../support/delivery.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const concurrency = 32;
const per = 100_000;
const reference = 'the same without its egress guard';

export async function egress(lab: Lab, goal: Goal): Promise<Figure[]> {
  const { port } = await lab.bareHttp(null);
  const kept = { name: 'CPU a delivery, kept connections', origin: `http://127.0.0.1:${port}`, keeps: true };
  const anew = {
    name: 'CPU a delivery, each a look-up and a connection',
    origin: `http://localhost:${port}`,
    keeps: false,
  };
  const delivered = await compared(lab, { ...kept, count: lab.quick ? 10_000 : 60_000 });
  const connected = await compared(lab, { ...anew, count: lab.quick ? 2000 : 6000 });
  const ns = guardNs();
  const share = (name: string, ownNs: number, { reference: bare }: Figure): Figure => {
    const value = (ownNs * 100) / (((bare?.value ?? Number.NaN) * 1e9) / per);
    return { name, unit: '%', value, goal };
  };
  return [
    share('egress guard, of the CPU of a delivery', ns.delivery, delivered),
    share('egress guard, of one with a look-up and a connection', ns.delivery + ns.connection, connected),
    delivered,
    connected,
  ];
}

interface Way {
  readonly name: string;
  readonly origin: string;
  readonly keeps: boolean;
  readonly count: number;
}

async function compared(lab: Lab, { name, origin, keeps, count }: Way): Promise<Figure> {
  const [guarded, bare] = [lab.target(), lab.target()];
  await guarded.call('open', { isGuarded: true, keeps });
  await bare.call('open', { isGuarded: false, keeps });
  const cpuOf = async (target: typeof guarded) => {
    const before = cpuSeconds(target.pid);
    const { sent } = await target.call('send', { origin, concurrency, count });
    assert.equal(sent, count);
    return ((cpuSeconds(target.pid) - before) * per) / count;
  };
  const pairs = await inTurns(
    lab.quick ? 3 : 8,
    () => cpuOf(guarded),
    () => cpuOf(bare),
  );
  return comparedFigure({ name, unit: 's/100k', reference, how: 'ratio' }, pairs);
}
