// All nemeses by name.
import type { Nemesis } from './nemesis.ts';
import { config, pause, redrive } from './operator-nemeses.ts';
import { power } from './power-nemesis.ts';
import { kill, stop, term, torn } from './process-nemeses.ts';
import { receivers, rejects } from './receiver-nemeses.ts';
import { clock, disk } from './surroundings-nemeses.ts';

export const nemeses: Readonly<Record<string, Nemesis>> = {
  kill,
  term,
  stop,
  torn,
  receivers,
  rejects,
  disk,
  clock,
  config,
  redrive,
  pause,
  power,
};
