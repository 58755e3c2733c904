// Power loss: what the system had not written to the disk yet is gone, and the program starts on what is there.
import { execFileSync } from 'node:child_process';
import { copyFile, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Nemesis } from './nemesis.ts';
import type { World } from './world.ts';

const diskBytes = 96 * 1_048_576;
const disks = new WeakMap<World, string>();

/** The file system writes nothing by itself while the copy is made, however slow the machine: only what was synced is there. */
const mount = (image: string, at: string) =>
  execFileSync('mount', ['-o', 'loop,commit=300', image, at], { stdio: 'pipe' });

/**
 * The data directory is a file system of its own in a file. The stopped program's dirty pages are in that file system's
 * cache and not in the file; a copy of the file is the disk after a power loss.
 */
export const power: Nemesis = {
  weight: 1,
  prepare: async (world) => {
    const home = await mkdtemp(join(tmpdir(), 'bigpipe-power-'));
    const image = join(home, 'disk');
    try {
      if (world.cleanup.length > 0) throw new Error('another nemesis has the data directory');
      await writeFile(image, '');
      await truncate(image, diskBytes);
      execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'pipe' });
      mount(image, world.dataDirectory);
    } catch (error) {
      await rm(home, { recursive: true });
      return `no disk can be made that loses power: ${String(error)}`;
    }
    disks.set(world, image);
    world.cleanup.push(async () => {
      execFileSync('umount', [world.dataDirectory]);
      await rm(home, { recursive: true });
    });
    return null;
  },
  act: async (world, load) => {
    const image = disks.get(world) as string;
    world.bigpipe?.child.kill('SIGSTOP');
    // Answers that it had written reach their callers; nobody gets another one.
    for (let last = -1; last !== load.answers; ) {
      last = load.answers;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await copyFile(image, `${image}.left`);
    await world.kill();
    load.hangUp();
    execFileSync('umount', [world.dataDirectory]);
    await rename(`${image}.left`, image);
    mount(image, world.dataDirectory);
    await world.start();
    return 'power lost, started on what the disk had';
  },
};
