// What happens to receivers: they die, hang, lie, slow down, and come back, each by itself.
import type { Nemesis } from './nemesis.ts';
import type { Behaviour, Mood } from './receiver.ts';

const troubles: readonly Mood[] = ['slow', 'fails', 'silent', 'gone', 'lies'];

/** A third of the time well. `rejects` fills the dead letter: a nemesis of its own. */
export const receivers: Nemesis = {
  weight: 4,
  act: async (world, _load, random) => {
    const number = random.below(world.receivers.length);
    const isWell = random.below(3) === 0;
    const mood = random.pick(troubles);
    const share = random.pick([0.05, 0.3, 1]);
    const behaviour: Behaviour = isWell ? world.calm : { mood, share, delayMs: 5 };
    await world.receivers[number]?.become(behaviour);
    return `receiver ${number} is ${behaviour.mood}, share ${behaviour.share}`;
  },
};

/** Some are told never: their calls go to the dead letter. */
export const rejects: Nemesis = {
  weight: 1,
  act: async (world, _load, random) => {
    const number = random.below(world.receivers.length);
    await world.receivers[number]?.become({ mood: 'rejects', share: random.pick([0.02, 0.2]), delayMs: 2 });
    return `receiver ${number} rejects some`;
  },
};
