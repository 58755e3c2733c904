// One axis of growth: a program for each point, measured in turns in the same rounds, each against the first point of its round.
import { comparedFigure, type Figure, type Goal, median } from './figures.ts';
import { fitLine } from './fit.ts';
import type { Lab, Sizes } from './lab.ts';

export interface Cost {
  /** CPU seconds of the program for 100,000 messages accepted and delivered. */
  readonly cpu: number;
  readonly perSecond: number;
}

export interface GrowthPoint {
  /** So many calls that its program is compiled: else the first turns measure the compiler. */
  readonly warm: () => Promise<void>;
  /** One turn. */
  readonly turn: () => Promise<Cost>;
  /** The program and all that is only there for it. */
  readonly close: () => Promise<void>;
}

export interface Axis {
  /** What grows, in the plural. */
  readonly name: string;
  readonly points: readonly number[];
  readonly open: (x: number) => Promise<GrowthPoint>;
  /** A cost of a + b * x is what is to be flat, not the cost itself. */
  readonly isLine?: boolean;
}

const line = { cpu: 'CPU a message', rate: 'messages a second' } as const;
/** The first round pays for what only its own form of calls brings up. */
const warmRounds = 1;

export async function measureAxis(lab: Lab, axis: Axis, goal: Goal): Promise<Figure[]> {
  const xs = pointsOf(axis, lab.sizes);
  const opened: { x: number; point: GrowthPoint; costs: Cost[] }[] = [];
  for (const x of xs) {
    lab.say(`${axis.name}: ${shown(x)}`);
    const point = await axis.open(x);
    await point.warm();
    opened.push({ x, point, costs: [] });
  }
  for (let round = 0; round < warmRounds + (lab.quick ? 3 : 6); round += 1) {
    // Up and down again: what comes first in a round is not always the same.
    for (const { point, costs } of round % 2 === 0 ? opened : opened.toReversed()) {
      const cost = await point.turn();
      if (round >= warmRounds) costs.push(cost);
    }
  }
  for (const { point } of opened) await point.close();
  return axis.isLine ? lineFigures(axis, opened, goal) : ratioFigures(axis, opened, goal);
}

function pointsOf({ points, isLine = false }: Axis, { most, points: chosen }: Sizes): readonly number[] {
  if (chosen !== null) return points.filter((x) => chosen.includes(x));
  return isLine ? points : points.filter((x) => x <= (most ?? Infinity));
}

type Measured = readonly { readonly x: number; readonly costs: readonly Cost[] }[];

function ratioFigures({ name: axis }: Axis, measured: Measured, goal: Goal): Figure[] {
  const [first] = measured;
  if (first === undefined) return [];
  return measured.flatMap(({ x, costs }) => {
    const against = (of: (cost: Cost) => number) =>
      costs.map((cost, i) => ({ ours: of(cost), limit: of(first.costs[i] as Cost) }));
    const reference = shown(first.x);
    const how = 'ratio';
    const cpu = { name: `${line.cpu}, ${axis}: ${shown(x)}`, unit: 's/100k', reference, how } as const;
    const rate = { name: `${line.rate}, ${axis}: ${shown(x)}`, unit: '/s', reference, how } as const;
    const isFirst = x === first.x;
    return [
      {
        ...comparedFigure(
          isFirst ? cpu : { ...cpu, goal },
          against((cost) => cost.cpu),
        ),
        at: { axis, line: line.cpu, x },
      },
      {
        ...comparedFigure(
          rate,
          against((cost) => cost.perSecond),
        ),
        at: { axis, line: line.rate, x },
      },
    ];
  });
}

/** Each round has its own line; a point's ratio is what it costs against that line. */
function lineFigures({ name: axis }: Axis, measured: Measured, goal: Goal): Figure[] {
  const rounds = (measured[0]?.costs ?? []).map((_, i) =>
    fitLine(measured.map(({ x, costs }) => ({ x, y: (costs[i] as Cost).cpu }))),
  );
  const all = fitLine(measured.map(({ x, costs }) => ({ x, y: median(costs.map(({ cpu }) => cpu)) })));
  const fitted = { reference: { name: 'a + b * bytes' } };
  const points = measured.map(({ x, costs }, at): Figure => {
    const of = rounds.map(({ residuals }) => 1 + (residuals[at] as number));
    return {
      name: `${line.cpu}, ${axis}: ${shown(x)}`,
      unit: 's/100k',
      value: median(costs.map(({ cpu }) => cpu)),
      reference: { ...fitted.reference, value: all.a + all.b * x },
      compared: { how: 'ratio', value: median(of), of },
      goal,
      at: { axis, line: 'CPU a message against a + b * bytes', x },
    };
  });
  const rates = measured.map(({ x, costs }): Figure => {
    const value = median(costs.map(({ perSecond }) => perSecond));
    return { name: `${line.rate}, ${axis}: ${shown(x)}`, unit: '/s', value };
  });
  return [
    { name: 'CPU a message whatever its size (a)', unit: 's/100k', value: all.a },
    { name: 'CPU of a KB of it (b)', unit: 's/100k', value: all.b * 1000 },
    ...points,
    ...rates,
  ];
}

const shown = (x: number) => x.toLocaleString('en');
