// What happens to the process: kill -9, SIGTERM, SIGSTOP.
import { appendFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Nemesis } from './nemesis.ts';

/** kill -9, and a new start. */
export const kill: Nemesis = {
  weight: 3,
  act: async (world, load) => {
    await world.kill();
    load.hangUp();
    await world.start();
    return 'killed and started';
  },
};

/** SIGTERM, and a new start once it has drained. */
export const term: Nemesis = {
  weight: 2,
  act: async (world, load) => {
    const code = await world.terminate();
    load.hangUp();
    await world.start();
    return `SIGTERM, exit ${code}, started`;
  },
};

/** SIGSTOP for longer than a receiver's timeout. */
export const stop: Nemesis = {
  weight: 1,
  act: async (world, _load, random) => {
    const { bigpipe } = world;
    const stoppedMs = 200 + random.below(3000);
    bigpipe?.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, stoppedMs));
    bigpipe?.child.kill('SIGCONT');
    return `stopped for ${stoppedMs} ms`;
  },
};

/** A crash in the middle of a write: garbage behind what was acknowledged in the write-ahead log. */
export const torn: Nemesis = {
  weight: 1,
  act: async (world, load, random) => {
    await world.kill();
    load.hangUp();
    const file = join(world.dataDirectory, 'bigpipe.db-wal');
    const bytes = 1 + random.below(20_000);
    const size = await stat(file).then(
      (found) => found.size,
      () => 0,
    );
    const garbage = Buffer.from(Array.from({ length: bytes }, () => random.below(256)));
    if (size > 0) await appendFile(file, garbage);
    await world.start();
    return `killed, ${size > 0 ? bytes : 0} bytes of garbage behind ${size} of the write-ahead log`;
  },
};
