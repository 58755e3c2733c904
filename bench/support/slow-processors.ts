// A machine with more processors, each of them slower, for whom we like: the kernel's control groups hold every thread to a part of one.
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from './windows.ts';

/** The first version's controller: there each thread may have a group of its own. */
const root = '/sys/fs/cgroup/cpu';
/** Processor time is given out anew so often. */
const periodUs = 10_000;

/** So often, and so far apart, it is tried to remove a group. */
const removals = 100;
const removalMs = 50;

/** What of a process can keep a processor busy: its event loop, its threads of JavaScript, and all that helps both. */
const parts: readonly ((isFirst: boolean, name: string) => boolean)[] = [
  (isFirst) => isFirst,
  (isFirst, name) => !isFirst && name.startsWith('WorkerThread'),
  (isFirst, name) => !isFirst && !name.startsWith('WorkerThread'),
];

export class SlowProcessors {
  /** Each behind the one that it is in. */
  private readonly groups: string[] = [];
  private readonly share: number;

  /** `share` of one of this machine's processors is one of theirs. */
  constructor(share: number) {
    this.share = share;
  }

  /** From here on these processes have `processors` together, with the threads that they start later. Takes root and Linux. */
  hold(pids: readonly number[], processors: number): void {
    const machine = this.newGroup(join(root, `bigpipe-bench-${process.pid}-${pids[0]}`), processors);
    for (const pid of pids) {
      const threads = readdirSync(`/proc/${pid}/task`).map((id) => ({
        id,
        isFirst: Number(id) === pid,
        name: readFileSync(`/proc/${pid}/task/${id}/comm`, 'latin1'),
      }));
      for (const [i, isPart] of parts.entries()) {
        const group = this.newGroup(join(machine, `${pid}-${i}`), 1);
        for (const { id, isFirst, name } of threads) {
          if (isPart(isFirst, name)) writeFileSync(join(group, 'tasks'), id);
        }
      }
    }
  }

  /** All of them run as they would. */
  letGo(): void {
    for (const group of this.groups) {
      for (const id of readFileSync(join(group, 'tasks'), 'latin1').split('\n')) {
        if (id !== '') moveOut(id);
      }
    }
  }

  /** After letGo: leaves nothing behind. */
  async remove(): Promise<void> {
    for (const group of this.groups.splice(0).reverse()) {
      // A thread that is just ending still counts.
      for (let left = removals; !isRemoved(group, left === 0); left -= 1) await sleep(removalMs);
    }
  }

  private newGroup(path: string, processors: number): string {
    try {
      mkdirSync(path);
    } catch (error) {
      throw new Error(`it takes root, and the cpu controller of control groups (v1) at ${root}`, { cause: error });
    }
    this.groups.push(path);
    writeFileSync(join(path, 'cpu.cfs_period_us'), String(periodUs));
    writeFileSync(join(path, 'cpu.cfs_quota_us'), String(Math.round(periodUs * this.share * processors)));
    return path;
  }
}

function isRemoved(group: string, isLast: boolean): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    if (isLast || (error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    return false;
  }
}

function moveOut(id: string): void {
  try {
    writeFileSync(join(root, 'tasks'), id);
  } catch (error) {
    // It has ended meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
