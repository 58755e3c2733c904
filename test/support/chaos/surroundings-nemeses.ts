// What happens around the program: its disk fills up, its clock jumps.
import { execFileSync } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TimeShim } from '../time-shim.ts';
import type { Load } from './load.ts';
import type { Nemesis } from './nemesis.ts';
import type { World } from './world.ts';

const diskBytes = 256 * 1_048_576;
/** Of a filler file, at once. */
const block = Buffer.alloc(65_536);
/** The log's own reserve and what it can use again last for some thousands of calls. */
const fullForMs = 15_000;

async function fill(file: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    for (;;) await handle.write(block);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOSPC') throw error;
  } finally {
    await handle.close();
  }
}

/** So many refusals, or some seconds. */
async function untilRefused(load: Load, world: World, refusals: number): Promise<void> {
  const enough = world.books.tally.refused + refusals;
  const end = performance.now() + fullForMs;
  while (world.books.tally.refused < enough && performance.now() < end && !load.isHeld) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The data directory is a small file system of its own, which somebody else fills and empties again. */
export const disk: Nemesis = {
  weight: 1,
  prepare: async (world) => {
    const at = world.dataDirectory;
    try {
      if (world.cleanup.length > 0) throw new Error('another nemesis has the data directory');
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'bigpipe-chaos', at], { stdio: 'pipe' });
    } catch (error) {
      return `no file system can be mounted: ${String(error)}`;
    }
    world.cleanup.push(async () => {
      execFileSync('umount', [at]);
    });
    return null;
  },
  act: async (world, load, random) => {
    const file = join(world.dataDirectory, 'filler');
    const before = world.books.tally.refused;
    world.undo.push(() => rm(file, { force: true }));
    await fill(file);
    await untilRefused(load, world, 20 + random.below(200));
    const isKilled = random.below(3) === 0;
    if (isKilled) await world.kill();
    await rm(file, { force: true });
    return `disk full for a while, ${world.books.tally.refused - before} refused${isKilled ? ', killed on it' : ''}`;
  },
};

const shims = new WeakMap<World, TimeShim>();
const hour = 3600;
const day = 24 * hour;
const jumps = [-day, -hour, -5, 0, 5, hour, 8 * day];

/** The calendar clock jumps: an operator, a virtual machine that slept, a time server. */
export const clock: Nemesis = {
  weight: 1,
  prepare: async (world) => {
    try {
      const shim = new TimeShim();
      shims.set(world, shim);
      Object.assign(world.env, shim.env);
      world.cleanup.push(async () => shim.remove());
    } catch (error) {
      return `the clock cannot be set: ${String(error)}`;
    }
    return null;
  },
  act: async (world, _load, random) => {
    const seconds = random.pick(jumps);
    shims.get(world)?.setOffset(seconds);
    if (world.undo.every((undo) => undo.name !== 'setRight')) {
      world.undo.push(async function setRight() {
        shims.get(world)?.setOffset(0);
      });
    }
    return `the clock is ${seconds} s from the true time`;
  },
};
