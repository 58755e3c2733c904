// What a nemesis is, and the schedule that says when which one comes: the same from the same seed.
import type { Seeded } from '../seeded.ts';
import type { Load } from './load.ts';
import type { World } from './world.ts';

export interface Nemesis {
  /** How often it comes, beside the others. */
  readonly weight: number;
  /** Before the first start; says why it cannot come here, null when it can. */
  readonly prepare?: (world: World) => Promise<string | null>;
  /** One act, of which all that is random comes from `random`. Resolves once the next one may come; says what was done. */
  readonly act: (world: World, load: Load, random: Seeded) => Promise<string>;
}

export interface Step {
  readonly number: number;
  readonly name: string;
  /** It comes after so many more answers to callers. */
  readonly afterAnswers: number;
  readonly random: Seeded;
}

/** Endless. */
export function* scheduleOf(
  random: Seeded,
  weights: Readonly<Record<string, number>>,
  mostAnswers: number,
): Generator<Step> {
  const names = Object.entries(weights).flatMap(([name, weight]) => Array.from({ length: weight }, () => name));
  for (let number = 1; ; number += 1) {
    const name = random.pick(names);
    const afterAnswers = 1 + random.below(mostAnswers);
    yield { number, name, afterAnswers, random: random.part(`step ${number}`) };
  }
}
