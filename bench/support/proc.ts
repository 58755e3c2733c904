// What the kernel says about a process and the machine: CPU seconds, resident memory, who else was busy.
import { readdirSync, readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** USER_HZ, which Linux fixes for everything it shows to programs. */
const ticksPerSecond = 100;
const kib = 1024;

/** User and system seconds of all threads so far. */
export function cpuSeconds(pid: number): number {
  const [user, system] = statFields(pid, 14, 15);
  return ((user as number) + (system as number)) / ticksPerSecond;
}

/** Of each of its threads, by its id. */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const ids = readdirSync(`/proc/${pid}/task`);
  return new Map(ids.map((id) => [id, statFields(`${pid}/task/${id}`, 14, 15).reduce(add, 0) / ticksPerSecond]));
}

/** The same of this process and of its children that have ended. */
export function ownCpuSeconds(): number {
  return statFields(process.pid, 14, 15, 16, 17).reduce(add, 0) / ticksPerSecond;
}

const add = (sum: number, part: number) => sum + part;

/** Fields of /proc/PID/stat, or a thread's, by the numbers of proc(5). */
function statFields(pid: number | string, ...numbers: number[]): number[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field may hold blanks; the third begins behind its parenthesis.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return numbers.map((number) => Number(fields[number - 3]));
}

/** The process and its children. */
export function familyOf(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' '));
  return [pid, ...children.filter((child) => child !== '').map(Number)];
}

export function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0) * kib;
}

/** What the process has had written to storage so far. */
export function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1] ?? 0);
}

/** Of all files in it, not of those in directories below. */
export async function directoryBytes(directory: string): Promise<number> {
  const sizes = (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Seconds that all processors have worked, and that they could have worked, since the machine started. */
export function machineSeconds(): { busy: number; all: number } {
  const line = readFileSync('/proc/stat', 'latin1').split('\n')[0] as string;
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, part) => sum + part, 0);
  const idle = (ticks[3] as number) + (ticks[4] as number);
  return { busy: (all - idle) / ticksPerSecond, all: all / ticksPerSecond };
}
