// A library that stands before the C library's calls in a program that a test starts.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Preload {
  readonly directory = mkdtempSync(join(tmpdir(), 'bigpipe-preload-'));

  /** Builds it. Throws where there is no C compiler, or no Linux. */
  constructor(source: string) {
    if (process.platform !== 'linux') throw new Error('LD_PRELOAD is for Linux');
    const file = join(this.directory, 'shim.c');
    writeFileSync(file, source);
    execFileSync('cc', ['-shared', '-fPIC', '-o', this.library, file, '-ldl'], { stdio: 'pipe' });
  }

  /** The program's environment names it as LD_PRELOAD. */
  get library(): string {
    return join(this.directory, 'shim.so');
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
