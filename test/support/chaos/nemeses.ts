// All nemeses by name.
import type { Nemesis } from './nemesis.ts';
import { kill, stop, term, torn } from './process-nemeses.ts';
import { receivers, rejects } from './receiver-nemeses.ts';

export const nemeses: Readonly<Record<string, Nemesis>> = { kill, term, stop, torn, receivers, rejects };
