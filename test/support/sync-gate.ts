// A disk that takes its time: while the gate is shut no sync returns.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Preload } from './preload.ts';

const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void pass(void) {
  const char *file = getenv("SYNC_GATE");
  while (file != NULL && access(file, F_OK) == 0) usleep(2000);
}
#define STANDS_BEFORE(name) \\
  int name(int fd) { \\
    static int (*next)(int); \\
    pass(); \\
    if (next == NULL) next = (int (*)(int)) dlsym(RTLD_NEXT, #name); \\
    return next(fd); \\
  }
STANDS_BEFORE(fsync)
STANDS_BEFORE(fdatasync)
`;

export class SyncGate {
  private readonly preload = new Preload(source);

  get env(): Record<string, string> {
    return { LD_PRELOAD: this.preload.library, SYNC_GATE: this.file };
  }

  shut(): void {
    writeFileSync(this.file, '');
  }

  open(): void {
    rmSync(this.file, { force: true });
  }

  remove(): void {
    this.preload.remove();
  }

  private get file(): string {
    return join(this.preload.directory, 'shut');
  }
}
